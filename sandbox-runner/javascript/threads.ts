import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { quoteText } from '../../src/contract/quote-text.ts'
import type { RunnerParams } from '../../src/contract/runner-methods.ts'
import type { ParallelCall, Threads } from '../loaded-plugin.ts'
import type * as threadPool from '../threads/thread-pool.ts'
import type { LoaderPowers } from '../start-plugin.ts'

/** By a bundle of its own: a plugin without threads loads nothing of it. */
export async function openThreads(
  { threads, thread_bytes: threadBytes = 0, eval: mayEval, entry }: RunnerParams['preload'],
  { denied, quietly }: Pick<LoaderPowers, 'denied' | 'quietly'>,
): Promise<Threads> {
  // How it starts is no doing of the plugin's.
  return await quietly(async () => {
    const file = join(dirname(process.argv[1] ?? ''), 'threads.cjs')
    const { openThreadPool } = createRequire(file)(file) as typeof threadPool
    return await openThreadPool({ threads, threadBytes, eval: mayEval, entry, onDenied: denied })
  })
}

/** @throws Error in words where the plugin declares no threads */
export async function runParallel(threads: Threads | null, call: ParallelCall): Promise<unknown[]> {
  if (threads !== null) return await threads.run(call)
  throw new Error(
    `Cannot run ${quoteText(String(call.task))} on threads: the plugin declares none. Add under [runtime] of its plugin.toml: threads = 2`,
  )
}
