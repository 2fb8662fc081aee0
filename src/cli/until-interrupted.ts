import { setTimeout } from 'node:timers/promises'
import type { OpenSystem } from './open-system.ts'

const LIVENESS_MS = 1_000

/** A daemon that goes away sends nothing more; asked now and then, its loss rejects in words. */
export async function untilInterrupted(api: OpenSystem['api'], signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await api.get_status()
    await setTimeout(LIVENESS_MS, undefined, { signal }).catch(() => undefined) // aborts by Ctrl-C alone
  }
}
