import type { Latency, Slot } from './measure.ts'

/** What the bench asks of a pinned process; its answers are plain data on the IPC channel. */
export interface DesignQuestions {
  start: { params: null; answer: { tier: string | null } }
  latency: { params: { payloadBytes: number; slot: Slot }; answer: Latency }
  throughput: {
    params: { payloadBytes: number; slot: Slot; inFlight: number }
    answer: { perSecond: number }
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

export interface Question {
  params: unknown
  answer: unknown
}

export type Handlers<Q extends { [K in keyof Q]: Question }> = {
  readonly [K in keyof Q]: (params: Q[K]['params']) => Promise<Q[K]['answer']>
}

export type Reply = { ok: true; answer: unknown } | { ok: false; message: string }
