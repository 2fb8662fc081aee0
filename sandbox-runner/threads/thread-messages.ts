/** What the runner's main thread, its nursery and the threads of a plugin say to one another. */
import type { MessagePort, Transferable } from 'node:worker_threads'

/** The nursery's `workerData`. */
export interface NurseryData {
  /** Threads that may live at once, whoever asks for more. */
  readonly maxThreads: number
  /** What the memory limit leaves each of them to reserve. */
  readonly threadBytes: number
  readonly resourceLimits: { readonly codeRangeSizeMb: number }
  readonly thread: ThreadData
  /** Its end of the line to the main thread. */
  readonly port: MessagePort
}

/** A thread's `workerData`. */
export interface ThreadData {
  readonly eval: boolean
  /** The process's folder at its start, where it may not read all of it; see `dropFolderRight`. */
  readonly unreadableFolder: string | null
}

/** From the main thread to the nursery. */
export type NurseryRequest =
  | { readonly kind: 'start'; readonly id: number }
  | {
      readonly kind: 'post'
      readonly id: number
      readonly message: unknown
      readonly transfer: readonly Transferable[]
    }
  | { readonly kind: 'terminate'; readonly id: number }
  /** What it printed last is passed on: more may come. */
  | { readonly kind: 'printed'; readonly id: number; readonly stream: 'stdout' | 'stderr' }

/** From the nursery, first of all: the room of all threads is taken. */
export interface NurseryOpen {
  readonly kind: 'open'
}

/** From the nursery, about one thread. */
export type NurseryEvent =
  | { readonly kind: 'message'; readonly id: number; readonly message: unknown }
  | { readonly kind: 'error'; readonly id: number; readonly error: TaskFailure }
  | {
      readonly kind: 'printed'
      readonly id: number
      readonly stream: 'stdout' | 'stderr'
      readonly chunk: Uint8Array
    }
  | { readonly kind: 'exit'; readonly id: number; readonly code: number }

/** Some items of one call, for one thread. */
export interface ThreadTask {
  readonly module: string
  /** The name of the function that the module exports. */
  readonly handler: string
  readonly items: readonly unknown[]
  /** Of the first of them, among all items of the call. */
  readonly firstIndex: number
}

export type ThreadOutcome =
  | { readonly kind: 'done'; readonly results: readonly unknown[] }
  /** The first that failed; null where it is none of them: the module does not load. */
  | { readonly kind: 'failed'; readonly index: number | null; readonly failure: TaskFailure }

export type ThreadAnswer = ThreadOutcome & {
  /** What Node's permission model did not grant meanwhile, whether or not the task caught the error. */
  readonly denied: readonly Denied[]
}

export interface Denied {
  readonly permission: string
  readonly resource: string
}

/** What was thrown, as data: an Error loses its own properties between threads. */
export interface TaskFailure {
  readonly name: string
  readonly message: string
  readonly stack: string | null
  /** `code`, `syscall`, `path`, and what Node's permission model names. */
  readonly facts: Readonly<Record<string, string>>
  readonly cause: TaskFailure | null
}
