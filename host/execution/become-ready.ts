import { setTimeout as delay } from 'node:timers/promises'
import type { InstanceLane } from './instance-lane.ts'

/** How often a start that waits for its backoff is looked at. */
const LOOK_MS = 20

/** Starts a process where none runs, a backoff waited for; false when that fails. */
export async function becomeReady(lane: InstanceLane): Promise<boolean> {
  lane.wake()
  while (lane.isBackingOff) {
    await delay(LOOK_MS)
    lane.wake()
  }
  await lane.settled()
  return lane.instance?.state === 'ready'
}
