import { setTimeout as delay } from 'node:timers/promises'
import type { InstanceLane } from './instance-lane.ts'

/** How often a start that waits for its backoff, or for a reload, is looked at. */
const LOOK_MS = 20

/**
 * Starts a process where none runs; a backoff and a reload are waited for. False when that fails, or when nobody
 * wants it any more.
 */
export async function becomeReady(lane: InstanceLane, isWanted: () => boolean): Promise<boolean> {
  lane.wake()
  while (isWanted() && (lane.isBackingOff || lane.isHeld)) {
    await delay(LOOK_MS)
    lane.wake()
  }
  if (!isWanted()) return false
  await lane.settled()
  return lane.instance?.state === 'ready'
}
