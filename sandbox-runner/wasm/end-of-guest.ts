import { MAX_PLUGIN_TEXT_CHARS } from '../../src/contract/limits.ts'
import { messageOf, type WireError } from '../../src/contract/phantom-error.ts'
import { runnerError } from '../runner-error.ts'
import { GuestOutOfMemory, GuestViolation } from './guest-violation.ts'
import { GuestExit } from './wasi/process-functions.ts'
import type { LastWords } from './last-words.ts'

/** What allocators say that found no room: Rust's and C++'s standard libraries. */
const MEMORY_WORDS = /memory allocation of \d+ bytes failed|\bout of memory\b|\bbad_alloc\b/i
const PANIC_WORDS = /panic|assert|abort|unwrap/i

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
  if (thrown instanceof GuestViolation) {
    return runnerError('fault', `Cannot go on with the plugin: ${thrown.message}`, {
      name: thrown.name,
      message: thrown.message,
    })
  }
  if (thrown instanceof GuestOutOfMemory) return runnerError('out_of_memory', thrown.message)
  const said = words.text
  const trap = messageOf(thrown)
  const outOfMemory = MEMORY_WORDS.test(said ?? '') || (isMemoryFull() && !PANIC_WORDS.test(said ?? ''))
  const end = thrown instanceof GuestExit ? trap : `the plugin trapped: ${trap}`
  const message = (said ?? end).slice(0, MAX_PLUGIN_TEXT_CHARS)
  const name = thrown instanceof WebAssembly.RuntimeError ? 'RuntimeError' : 'Error'
  return runnerError(outOfMemory ? 'out_of_memory' : 'fault', message, { name, message, trap })
}
