import { timeNs } from './process-functions.ts'
import type { Descriptors } from './descriptors.ts'
import { ERRNO, errnoOf, WasiError } from './errno.ts'
import type { WasiMemory } from './wasi-memory.ts'

const SUBSCRIPTION_BYTES = 48
const EVENT_BYTES = 32
const MAX_SUBSCRIPTIONS = 1024
const KIND = { clock: 0, read: 1, write: 2 } as const
const ABSOLUTE = 1
const NS_PER_MS = 1e6

interface Event {
  readonly userdata: bigint
  readonly kind: number
  readonly error: number
}

interface Timer extends Event {
  readonly clock: number
  /** When it is due, by its own clock. */
  readonly atNs: bigint
}

/** Waits so long; a promise suspends the module meanwhile. */
export type Sleep = (durationMs: number) => Promise<void>

/**
 * `poll_oneoff`: sleeps. Files are always ready, as `poll(2)` has it, so nothing is waited for where one is asked about.
 *
 * @returns a promise only where there is something to wait for
 */
export function pollFunction(memory: WasiMemory, descriptors: Descriptors, sleep: Sleep) {
  return (subscriptions: number, events: number, count: number, result: number): void | Promise<void> => {
    const size = count >>> 0
    if (size === 0 || size > MAX_SUBSCRIPTIONS) throw new WasiError('inval')
    memory.fields(events, size * EVENT_BYTES)
    memory.setU32(result, 0)
    const { ready, timers } = read(memory.fields(subscriptions, size * SUBSCRIPTION_BYTES), descriptors)
    // Only now: while it waited, its memory may have become another one.
    const finish = (): void => {
      const due = timers.filter(({ clock, atNs }) => timeNs(clock) >= atNs)
      put(memory, { events, result, all: [...ready, ...due] })
    }
    const waitMs = Math.min(...timers.map(leftMs))
    if (ready.length > 0 || waitMs <= 0) return finish()
    return waitUntilDue(timers, sleep).then(finish)
  }
}

function read(fields: DataView, descriptors: Descriptors): { ready: Event[]; timers: Timer[] } {
  const ready: Event[] = []
  const timers: Timer[] = []
  for (let at = 0; at < fields.byteLength; at += SUBSCRIPTION_BYTES) {
    const userdata = fields.getBigUint64(at, true)
    const kind = fields.getUint8(at + 8)
    if (kind === KIND.clock) {
      const clock = fields.getUint32(at + 16, true)
      const timeout = fields.getBigUint64(at + 24, true)
      const isAbsolute = (fields.getUint16(at + 40, true) & ABSOLUTE) !== 0
      const atNs = isAbsolute ? timeout : timeNs(clock) + timeout
      timers.push({ userdata, kind, error: ERRNO.success, clock, atNs })
    } else if (kind === KIND.read || kind === KIND.write) {
      ready.push({ userdata, kind, error: errorOf(descriptors, fields.getUint32(at + 16, true)) })
    } else {
      throw new WasiError('inval')
    }
  }
  return { ready, timers }
}

function errorOf(descriptors: Descriptors, fd: number): number {
  try {
    descriptors.get(fd)
    return ERRNO.success
  } catch (error) {
    return ERRNO[errnoOf(error) ?? 'badf']
  }
}

function leftMs({ clock, atNs }: Timer): number {
  return Math.ceil(Number(atNs - timeNs(clock)) / NS_PER_MS)
}

/** A timer may be early by its own clock. */
async function waitUntilDue(timers: readonly Timer[], sleep: Sleep): Promise<void> {
  for (;;) {
    const waitMs = Math.min(...timers.map(leftMs))
    if (waitMs <= 0) return
    await sleep(waitMs)
  }
}

function put(
  memory: WasiMemory,
  { events, result, all }: { events: number; result: number; all: readonly Event[] },
): void {
  const fields = memory.fields(events, all.length * EVENT_BYTES)
  for (const [index, { userdata, error, kind }] of all.entries()) {
    const at = index * EVENT_BYTES
    fields.setBigUint64(at, userdata, true)
    fields.setBigUint64(at + 8, 0n, true)
    fields.setBigUint64(at + 16, 0n, true)
    fields.setBigUint64(at + 24, 0n, true)
    fields.setUint16(at + 8, error, true)
    fields.setUint8(at + 10, kind)
  }
  memory.setU32(result, all.length)
}
