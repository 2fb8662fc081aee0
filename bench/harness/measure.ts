import { quantile } from './statistics.ts'

export interface Slot {
  warmUpMs: number
  measureMs: number
  /** Calls to take at least, for payloads that take long. */
  minCalls: number
}

export interface Latency {
  p50: number
  p99: number
}

export interface Throughput {
  perSecond: number
  /** Of all processes that had a part in it. */
  cpuUsPerCall: number
}

type Call = () => Promise<unknown>

/** Microseconds of one call after another. */
export async function measureLatency(call: Call, slot: Slot): Promise<Latency> {
  await callFor(call, slot.warmUpMs, Math.min(3, slot.minCalls))
  const times = await callFor(call, slot.measureMs, slot.minCalls)
  times.sort()
  return { p50: quantile(times, 0.5) * 1000, p99: quantile(times, 0.99) * 1000 }
}

/** Calls answered in a second while `inFlight` are always open. `cpuMs` says what was used up to now. */
export async function measureThroughput(
  call: Call,
  slot: Slot,
  { inFlight, cpuMs }: { inFlight: number; cpuMs: () => number },
): Promise<Throughput> {
  await countFor(call, slot.warmUpMs, inFlight)
  const cpuBeforeMs = cpuMs()
  const { answered, durationMs } = await countFor(call, slot.measureMs, inFlight)
  const usedMs = cpuMs() - cpuBeforeMs
  return { perSecond: (answered / durationMs) * 1000, cpuUsPerCall: (usedMs / answered) * 1000 }
}

async function callFor(call: Call, durationMs: number, minCalls: number): Promise<Float64Array> {
  const times: number[] = []
  const end = performance.now() + durationMs
  let before = performance.now()
  while (before < end || times.length < minCalls) {
    await call()
    const after = performance.now()
    times.push(after - before)
    before = after
  }
  return Float64Array.from(times)
}

async function countFor(
  call: Call,
  forMs: number,
  inFlight: number,
): Promise<{ answered: number; durationMs: number }> {
  const start = performance.now()
  const end = start + forMs
  let answered = 0
  const lane = async (): Promise<void> => {
    while (performance.now() < end) {
      await call()
      answered += 1
    }
  }
  await Promise.all(Array.from({ length: inFlight }, lane))
  return { answered, durationMs: performance.now() - start }
}
