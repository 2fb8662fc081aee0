import path from 'node:path'
import type { DesignName } from './design.ts'
import type { Findings, PayloadName } from './findings.ts'
import type { Slot } from './measure.ts'
import { startPinned, type PinnedProcess } from './pinned-process.ts'
import type { DesignQuestions } from './questions.ts'
import type { Setting } from './setting.ts'

type Client = PinnedProcess<DesignQuestions>

const ENTRY = new URL('design-client.main.ts', import.meta.url)
const PAYLOAD_BYTES: Record<PayloadName, number> = { '100b': 100, '10kb': 10_000, '1mb': 1_000_000 }
const IN_FLIGHT = 64
const SLOT: Slot = { warmUpMs: 100, measureMs: 400, minCalls: 10 }
/**
 * Unmeasured, once a design: until its code is compiled. The naive design, with the most code, needed about 3 s
 * on the one core that it shares with its own compiler threads; less would flatter ours.
 */
const WARM_UP_SLOT: Slot = { warmUpMs: 0, measureMs: 3_000, minCalls: 10 }
const QUICK_SLOT: Slot = { warmUpMs: 30, measureMs: 60, minCalls: 3 }
/** 64 MiB of text: the limit is on what the daemon holds, whatever the ends spend on parsing it. */
const LARGE_PAYLOAD_BYTES = 64 * 1024 * 1024

/**
 * Every design is started and warmed up once; then, in each round, they take turns at each measurement, in an
 * order that shifts, so that a slow moment of the machine meets all of them.
 */
export async function measureCalls(setting: Setting, findings: Findings): Promise<void> {
  const clients = new Map<DesignName, Client>()
  const slot = setting.isQuick ? QUICK_SLOT : SLOT
  try {
    for (const name of setting.designs) {
      setting.tell(`calls: warming up ${name}`)
      const client = clientOf(name, path.join(setting.folder, `calls-${name}`), setting)
      clients.set(name, client)
      await findings.attempt(name, 0, async () => {
        const { tier } = await client.ask('start', null)
        if (name === 'ours') findings.tier = tier
        await warmUp(client, setting.isQuick ? QUICK_SLOT : WARM_UP_SLOT)
      })
    }
    for (let round = 1; round <= setting.rounds; round += 1) {
      setting.tell(`calls: round ${round} of ${setting.rounds}`)
      await measureRound(shifted([...clients], round), { slot, findings, round })
    }
  } finally {
    await Promise.all(Array.from(clients.values(), (client) => client.close()))
  }
}

/** The daemon's memory with one large payload there and back, each design by itself. */
export async function measurePayloadMemory(setting: Setting, findings: Findings): Promise<void> {
  findings.add('payload', 'daemon_peak_64mb_bytes', 1, LARGE_PAYLOAD_BYTES)
  for (const name of setting.designs) {
    setting.tell(`payload memory: ${name}`)
    const client = clientOf(name, path.join(setting.folder, `payload-${name}`), setting)
    await findings.attempt(name, 1, async () => {
      await client.ask('start', null)
      const answer = await client.ask('payloadMemory', { payloadBytes: LARGE_PAYLOAD_BYTES })
      findings.add(name, 'daemon_before_64mb_bytes', 1, answer.beforeBytes)
      findings.add(name, 'daemon_peak_64mb_bytes', 1, answer.peakBytes)
    })
    await client.close()
  }
}

async function warmUp(client: Client, slot: Slot): Promise<void> {
  await client.ask('throughput', { payloadBytes: PAYLOAD_BYTES['100b'], slot, inFlight: IN_FLIGHT })
  const shorter = { ...slot, measureMs: slot.measureMs / 2 }
  for (const payloadBytes of Object.values(PAYLOAD_BYTES)) {
    await client.ask('latency', { payloadBytes, slot: shorter })
  }
}

async function measureRound(
  clients: readonly (readonly [DesignName, Client])[],
  { slot, findings, round }: { slot: Slot; findings: Findings; round: number },
): Promise<void> {
  for (const [name, client] of clients) {
    await findings.attempt(name, round, async () => {
      const params = { payloadBytes: PAYLOAD_BYTES['100b'], slot, inFlight: IN_FLIGHT }
      const { perSecond, cpuUsPerCall } = await client.ask('throughput', params)
      findings.add(name, 'throughput_100b_per_s', round, perSecond)
      findings.add(name, 'cpu_100b_us', round, cpuUsPerCall)
    })
  }
  for (const payload of Object.keys(PAYLOAD_BYTES) as PayloadName[]) {
    for (const [name, client] of clients) {
      await findings.attempt(name, round, async () => {
        const { p50, p99 } = await client.ask('latency', { payloadBytes: PAYLOAD_BYTES[payload], slot })
        findings.add(name, `latency_${payload}_p50_us`, round, p50)
        findings.add(name, `latency_${payload}_p99_us`, round, p99)
      })
    }
  }
}

function shifted<T>(items: readonly T[], by: number): T[] {
  const first = by % items.length
  return [...items.slice(first), ...items.slice(0, first)]
}

function clientOf(name: DesignName, folder: string, setting: Setting): Client {
  return startPinned<DesignQuestions>(ENTRY, name, { core: setting.core, folder })
}
