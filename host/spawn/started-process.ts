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
}

export interface ProcessEnd {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface StartedProcess {
  readonly pid: number
  /** Our ends. */
  readonly channels: readonly Socket[]
  readonly exited: Promise<ProcessEnd>
  readonly hasExited: boolean
  /** Nothing where it has exited. */
  kill(signal: 'SIGTERM' | 'SIGKILL'): void
}
