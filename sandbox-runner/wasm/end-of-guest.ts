import { MAX_PLUGIN_TEXT_CHARS } from '../../src/contract/limits.ts'
import { messageOf, type WireError } from '../../src/contract/phantom-error.ts'
import { runnerError } from '../runner-error.ts'
import { GuestOutOfMemory, GuestViolation } from './guest-violation.ts'
import { GuestExit } from './wasi/process-functions.ts'
import type { LastWords } from './last-words.ts'

/** What allocators say that found no room: Rust's and C++'s standard libraries. */
const MEMORY_WORDS = /memory allocation of \d+ bytes failed|\bout of memory\b|\bbad_alloc\b/i
const PANIC_WORDS = /panic|assert|abort|unwrap/i

/** What its code must not do where nothing could wait for the answer: V8's own words are of no use to an author. */
const ASKED_TOO_EARLY =
  'it called its host, or slept by poll_oneoff, where nothing can wait. Call it while phantom_handle runs, and not out of phantom_alloc, phantom_free or _initialize'

export interface GuestEnd {
  readonly thrown: unknown
  readonly words: LastWords
  /** Tries to grow the memory of an instance that is not used any more. */
  readonly isMemoryFull: () => boolean
}

/**
 * Why a call ended with its instance, as the answer of that call. Nothing tells a loader that `memory.grow` failed
 * inside: an allocator that got nothing says so, or just traps while no room is left.
 */
export function endOfGuest({ thrown, words, isMemoryFull }: GuestEnd): WireError {
  const violation = thrown instanceof WebAssembly.SuspendError ? new GuestViolation(ASKED_TOO_EARLY) : thrown
  if (violation instanceof GuestViolation) {
    return runnerError('fault', `Cannot go on with the plugin: ${violation.message}`, {
      name: violation.name,
      message: violation.message,
    })
  }
  if (thrown instanceof GuestOutOfMemory) return runnerError('out_of_memory', thrown.message)
  const said = words.text
  const trap = trapOf(thrown)
  const outOfMemory = MEMORY_WORDS.test(said ?? '') || (isMemoryFull() && !PANIC_WORDS.test(said ?? ''))
  const end = isTrap(thrown) ? `the plugin trapped: ${trap}` : trap
  const message = (said ?? end).slice(0, MAX_PLUGIN_TEXT_CHARS)
  const name = thrown instanceof WebAssembly.RuntimeError ? 'RuntimeError' : 'Error'
  return runnerError(outOfMemory ? 'out_of_memory' : 'fault', message, { name, message, trap })
}

/** Whether V8 found that its code could not go on. */
function isTrap(thrown: unknown): boolean {
  return !(thrown instanceof GuestExit) && !(thrown instanceof WebAssembly.Exception)
}

function trapOf(thrown: unknown): string {
  return thrown instanceof WebAssembly.Exception
    ? 'the plugin threw an exception that nothing of it caught'
    : messageOf(thrown)
}
