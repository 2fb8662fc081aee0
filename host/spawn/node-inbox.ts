import type { ChildProcess } from 'node:child_process'
import type { PassedListener } from './started-process.ts'

/** What Node makes of a descriptor that was passed, with which of these methods it may be. */
interface PassedHandle {
  listen?(): unknown
  close?(): void
  destroy?(): void
}

/** Node's own channel to a child process (`'ipc'`), by which it may pass one socket that listens. */
export class NodeInbox {
  readonly #child: ChildProcess
  readonly #came: Promise<PassedHandle | null>
  #isTaken = false

  constructor(child: ChildProcess) {
    this.#child = child
    this.#came = new Promise((resolve) => {
      const come = (handle: PassedHandle | null): void => {
        child.off('message', onMessage).off('disconnect', onDisconnect)
        this.#shut()
        resolve(handle)
      }
      const onMessage = (_message: unknown, handle: unknown): void => come(handle ?? null)
      const onDisconnect = (): void => come(null)
      child.on('message', onMessage).on('disconnect', onDisconnect)
    })
  }

  /** What is passed, once; null where nothing is in that time, or anything else. The channel is closed. */
  async take(timeoutMs: number): Promise<PassedListener | null> {
    if (this.#isTaken) return null
    this.#isTaken = true
    // The end of the channel is an answer as well.
    const late = setTimeout(() => this.#shut(), timeoutMs)
    const handle = await this.#came
    clearTimeout(late)
    if (handle === null) return null
    const close = (): void => (handle.close === undefined ? handle.destroy?.() : handle.close())
    if (handle.listen !== undefined) return { handle, close }
    close()
    return null
  }

  /** The process is gone: what nobody took goes with it. */
  close(): void {
    void this.take(0).then((passed) => passed?.close())
  }

  #shut(): void {
    if (this.#child.connected) this.#child.disconnect()
  }
}
