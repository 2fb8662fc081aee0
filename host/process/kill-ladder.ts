/** A process on its way out, as the ladder sees it. */
export interface EndingProcess {
  /** Asks the runner to shut down; settles when it answered or cannot any more. */
  requestShutdown(): void
  signal(signal: 'SIGTERM' | 'SIGKILL'): void
  /** Settles when the process and all that lived in its sandbox are gone. */
  readonly exited: Promise<void>
}

/** Between SIGTERM and SIGKILL, for a process that has a handler and no ear for its IPC. */
const SIGTERM_GRACE_MS = 250

/**
 * The one way a plugin's process is ended: shutdown message → grace → SIGTERM → short grace → SIGKILL → confirmed
 * gone. `shutdownMs` 0 goes to SIGKILL at once, for a process that is no longer trusted to answer.
 */
export async function endProcess(target: EndingProcess, shutdownMs: number): Promise<void> {
  if (shutdownMs > 0) {
    target.requestShutdown()
    if (await isGoneWithin(target.exited, shutdownMs)) return
    target.signal('SIGTERM')
    if (await isGoneWithin(target.exited, SIGTERM_GRACE_MS)) return
  }
  target.signal('SIGKILL')
  await target.exited
}

async function isGoneWithin(exited: Promise<void>, graceMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), graceMs)
  })
  try {
    return await Promise.race([exited.then(() => true), late])
  } finally {
    clearTimeout(timer)
  }
}
