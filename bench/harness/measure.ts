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

/** With how many calls it was taken from. */
export interface CountedLatency extends Latency {
  calls: number
}

export interface Throughput {
  perSecond: number
  /** Of all processes that had a part in it. */
  cpuUsPerCall: number
}

type Call = () => Promise<unknown>

/** So many that what the first one of a turn pays, whose code and data others have pushed out, is no p99. */
const CALLS_IN_TURN = 256

/** Microseconds of one call after another. */
export async function measureLatency(call: Call, slot: Slot): Promise<Latency> {
  await callFor(call, slot.warmUpMs, Math.min(3, slot.minCalls))
  return latencyOf(await callFor(call, slot.measureMs, slot.minCalls))
}

/** Microseconds of each, in the order in which they were made: for whoever puts them together with others. */
export async function sampleLatency(call: Call, slot: Slot): Promise<number[]> {
  await callFor(call, slot.warmUpMs, Math.min(3, slot.minCalls))
  return Array.from(await callFor(call, slot.measureMs, slot.minCalls), (ms) => Math.round(ms * 1e4) / 10)
}

/**
 * The same of several, in turn: so many calls of one, as many of the next, until the time is over. Each gets as many
 * calls, and whatever else happens meanwhile happens to all of them alike.
 */
export async function measureInTurn(calls: readonly Call[], slot: Slot): Promise<CountedLatency[]> {
  for (const call of calls) await callFor(call, slot.warmUpMs, Math.min(3, slot.minCalls))
  const times = calls.map((): number[] => [])
  const end = performance.now() + slot.measureMs
  while (performance.now() < end || times[0]!.length < slot.minCalls) {
    for (const [at, call] of calls.entries()) await callTimes(call, CALLS_IN_TURN, times[at]!)
  }
  return times.map((taken) => ({ ...latencyOf(Float64Array.from(taken)), calls: taken.length }))
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

/** Microseconds, of milliseconds, which it sorts. */
export function latencyOf(times: Float64Array): Latency {
  times.sort()
  return { p50: quantile(times, 0.5) * 1000, p99: quantile(times, 0.99) * 1000 }
}

async function callTimes(call: Call, count: number, times: number[]): Promise<void> {
  let before = performance.now()
  for (let at = 0; at < count; at += 1) {
    await call()
    const after = performance.now()
    times.push(after - before)
    before = after
  }
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
