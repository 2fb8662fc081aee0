import type { CountedLatency, Latency, Slot, Throughput } from './measure.ts'

/** What the bench asks of a pinned process; its answers are plain data on the IPC channel. */
export interface DesignQuestions {
  start: { params: null; answer: { tier: string | null } }
  latency: { params: { payloadBytes: number; slot: Slot }; answer: Latency }
  throughput: {
    params: { payloadBytes: number; slot: Slot; inFlight: number }
    answer: Throughput
  }
  payloadMemory: { params: { payloadBytes: number }; answer: { beforeBytes: number; peakBytes: number } }
  close: { params: null; answer: null }
}

export interface LauncherQuestions {
  start: { params: null; answer: null }
  launch: { params: null; answer: { readyMs: number } }
  /** Private bytes of every process launched so far. */
  idleMemory: { params: null; answer: { privateBytes: number[] } }
  close: { params: null; answer: null }
}

export interface ReloadQuestions {
  start: { params: null; answer: null }
  coldStart: { params: null; answer: { readyMs: number } }
  /** A saved file, then `reload_plugin`: the daemon's own figure. */
  reloadByCall: { params: null; answer: { servingMs: number } }
  /** A saved file, then nothing: until the new version answers, without the debounce. */
  reloadByFile: { params: null; answer: { servingMs: number } }
  callsUnderReloads: { params: LoadParams; answer: LoadAnswer }
  throughput: {
    params: { slot: Slot; inFlight: number; reloads: boolean }
    answer: { perSecond: number }
  }
  close: { params: null; answer: null }
}

export interface LoadParams {
  inFlight: number
  calls: number
  reloads: number
  brokenSaves: number
}

export interface LoadAnswer {
  calls: number
  /** Never answered, or with something else than what was asked for. */
  lost: number
  /** Answered twice, or run twice. */
  doubled: number
  /** What the first lost call got; null where none was answered wrongly. */
  firstFailure: string | null
  reloadsMs: number[]
}

export interface TakeOverQuestions {
  start: { params: null; answer: null }
  /** Milliseconds; see README.md. */
  takeOver: { params: null; answer: { nextMs: number; waitingMs: number; noticingMs: number } }
  close: { params: null; answer: null }
}

export interface IdleQuestions {
  start: { params: { plugins: number }; answer: null }
  /** From now on each has a call that only waits. */
  occupy: { params: null; answer: null }
  cpu: { params: { measureMs: number }; answer: { daemonPercent: number; runnersPercent: number } }
  close: { params: null; answer: null }
}

export interface InstalledQuestions {
  start: { params: { plugins: number }; answer: null }
  startDaemon: {
    params: { isFirst: boolean }
    answer: { readyMs: number; peakBytes: number; settledBytes: number }
  }
  close: { params: null; answer: null }
}

export interface TroubleQuestions {
  start: {
    params: { wedged: number; flooding: number; settleMs: number }
    /** Of each wedged and each flooded plugin's process. */
    answer: { niceValues: number[] }
  }
  /** Microseconds of each call of one turn, beside the trouble, which rests (SIGSTOP) between two turns. */
  turn: { params: { slot: Slot }; answer: { timesUs: number[]; floodPerSecond: number } }
  close: { params: null; answer: null }
}

export interface PingPongQuestions {
  start: { params: { niceValues: readonly number[] }; answer: null }
  /** Likewise, beside the spinners. */
  turn: { params: { slot: Slot }; answer: { timesUs: number[] } }
  close: { params: null; answer: null }
}

/** Of a plugin in JavaScript, then of a native one. */
const JAVASCRIPT_BOMBS = [
  'buffer',
  'heap',
  'wasm',
  'shared',
  'tmpfs',
  'disk',
  'inodes',
  'fds',
  'cpu',
  'wall',
  'output',
  'log',
  'ipc',
] as const
const NATIVE_BOMBS = ['native', 'threads', 'forks'] as const
export const BOMBS = [...JAVASCRIPT_BOMBS, ...NATIVE_BOMBS] as const
export type Bomb = (typeof BOMBS)[number]

export function isNativeBomb(kind: string): boolean {
  return (NATIVE_BOMBS as readonly string[]).includes(kind)
}

/** How far a bomb came beyond its limits: the worst of so many times. */
export interface BombEffect {
  overBytes: number
  overMs: number
  count: number
}

export interface BombAnswer {
  /** As the caller sees it. */
  ours: CountedLatency
  /** The same calls as the daemon measures them, and `get_plugin_metrics` gives them. */
  plugin: Latency
  relayed: CountedLatency
  barePair: CountedLatency
  effect: BombEffect
}

export interface BombQuestions {
  start: { params: { warmUp: Slot }; answer: { tier: string } }
  /** The healthy plugin, a bare relay and a bare pair in turn, beside the same bomb. */
  bomb: { params: { kind: Bomb; slot: Slot }; answer: BombAnswer }
  close: { params: null; answer: null }
}

export interface WasmQuestions {
  /** From a file to a plugin that can be called, in a process that loaded none before. */
  start: { params: null; answer: { loadMs: number } }
  latency: { params: { payloadBytes: number; slot: Slot }; answer: Latency }
  close: { params: null; answer: null }
}

export interface NativeQuestions {
  start: { params: { program: string }; answer: { tier: string } }
  launch: { params: { subject: 'ours' | 'bare-rust' }; answer: { pid: number; readyMs: number } }
  idleMemory: { params: { pids: readonly number[] }; answer: { privateBytes: number[] } }
  /** A call of 100 B through the whole system. */
  latency: { params: { subject: 'ours' | 'javascript'; slot: Slot }; answer: Latency }
  close: { params: null; answer: null }
}

export interface EgressParams {
  /** What makes the request: `node:http` with its kept connections, or `fetch`. */
  way: 'http' | 'fetch'
  slot: Slot
}

export interface EgressQuestions {
  start: { params: null; answer: { tier: string } }
  proxied: { params: EgressParams; answer: Latency }
  direct: { params: EgressParams; answer: Latency }
  close: { params: null; answer: null }
}

export interface Question {
  params: unknown
  answer: unknown
}

export type Handlers<Q extends { [K in keyof Q]: Question }> = {
  readonly [K in keyof Q]: (params: Q[K]['params']) => Promise<Q[K]['answer']>
}

export type Reply = { ok: true; answer: unknown } | { ok: false; message: string }
