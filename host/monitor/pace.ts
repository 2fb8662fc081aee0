/** However much a plugin gives the daemon to look at: the loop is for calls. */
const PAUSE_PER_LOOK = 9

/** How long looks rest after one that may have been dear, so that they take a tenth of the time at most. */
export function pauseAfter(startMs: number, endMs: number): number {
  return (endMs - startMs) * PAUSE_PER_LOOK
}
