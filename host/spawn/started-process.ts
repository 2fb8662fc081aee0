import type { Socket } from 'node:net'

export interface ProcessRequest {
  readonly file: string
  /** Behind the program's own name. */
  readonly args: readonly string[]
  readonly cwd: string
  /** The whole environment. */
  readonly env: Readonly<Record<string, string>>
  /** How many two-way channels it gets, from descriptor 1 on. Descriptor 0 is /dev/null. */
  readonly channels: number
  /** Open here, its own behind the channels. The caller closes them. */
  readonly inherited: readonly number[]
  /** Whether it gets, behind those, a channel by which it passes one socket that listens. */
  readonly passesListener: boolean
}

/** A TCP socket that listens, opened by another process. */
export interface PassedListener {
  /** For `listen()` of a server, which then owns it. */
  readonly handle: object
  /** Where no server does. */
  close(): void
}

export interface ProcessEnd {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface StartedProcess {
  readonly pid: number
  /** Our ends. */
  readonly channels: readonly Socket[]
  /**
   * The socket that it passed before it said anything on its channels; once. Null where it passed none, or anything
   * else. One that nobody took is closed at its end.
   */
  takeListener(timeoutMs: number): Promise<PassedListener | null>
  readonly exited: Promise<ProcessEnd>
  readonly hasExited: boolean
  /** Nothing where it has exited. */
  kill(signal: 'SIGTERM' | 'SIGKILL'): void
}
