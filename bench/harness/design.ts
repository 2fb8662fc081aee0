import type { Payload } from './payload.ts'

/** One way from a client through a daemon to a plugin's process and back; started inside a pinned process. */
export interface Design {
  readonly name: DesignName
  /** `folder` is empty, private to this start, and removed by whoever made it. */
  start(folder: string): Promise<RunningDesign>
}

export interface RunningDesign {
  /** Resolves with the payload's value as it came back, or with the number of bytes where nothing is parsed. */
  call(payload: Payload): Promise<unknown>
  /** The process in the middle. */
  readonly daemonPid: number
  /** Which isolation the plugin's process has; null where a design has none. */
  readonly tier: string | null
  /** Rejects when the daemon is gone before `close()`. */
  readonly lost: Promise<never>
  close(): Promise<void>
}

export const DESIGN_NAMES = [
  'raw-relay',
  'json-relay',
  'json-relay-batched',
  'naive',
  'unsandboxed',
  'ours',
] as const
export type DesignName = (typeof DESIGN_NAMES)[number]

/** One way to start a process that is ready for a plugin's call and then stays idle. */
export interface Launcher {
  start(folder: string): Promise<RunningLauncher>
}

export interface RunningLauncher {
  /** A new process, never a used one. It stays until `close()`, so that its idle memory can be read. */
  launch(): Promise<{ pid: number; readyMs: number }>
  close(): Promise<void>
}

export const LAUNCHER_NAMES = ['bare-node', 'ours', 'wasm'] as const
export type LauncherName = (typeof LAUNCHER_NAMES)[number]
