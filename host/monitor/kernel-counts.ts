import { opendirSync, statSync } from 'node:fs'
import { pauseAfter } from './pace.ts'
import { largestFile } from './largest-file.ts'
import { walkBelow } from './process-tree.ts'

/** A folder of `/proc` has two names of itself beside those of its folders. */
const OWN_LINKS = 2

/**
 * What a plugin's processes have of that which the kernel limits. What it counts is theirs to make long, and when it
 * is asked theirs to say: nothing is counted beyond `most`, and where that was dear the last figure stands for a while.
 */
export class KernelCounts {
  readonly descriptors: SeldomCount
  /** Threads, of the process at the root and of all below it; each process has one at least. */
  readonly tasks: SeldomCount

  /** Bytes of the largest file where it may write. */
  readonly fileBytes: SeldomCount

  constructor(pid: number, rootPid: number | null, writable: readonly string[]) {
    this.fileBytes = new SeldomCount((most) => largestFile(writable, most))
    this.descriptors = new SeldomCount((most) => countDescriptors(pid, most))
    this.tasks = new SeldomCount((most) => (rootPid === null ? null : countTasks(rootPid, most)))
  }
}

class SeldomCount {
  readonly #count: (most: number) => number | null
  #last: number | null = null
  #restsUntilMs = -Infinity

  constructor(count: (most: number) => number | null) {
    this.#count = count
  }

  /** Null where it is gone, or not ours to look into. */
  upTo(most: number): number | null {
    const startMs = performance.now()
    if (startMs < this.#restsUntilMs) return this.#last
    try {
      this.#last = this.#count(most)
    } catch {
      this.#last = null
    }
    const endMs = performance.now()
    this.#restsUntilMs = endMs + pauseAfter(startMs, endMs)
    return this.#last
  }
}

function countDescriptors(pid: number, most: number): number {
  const folder = `/proc/${pid}/fd`
  const { size } = statSync(folder)
  // Since Linux 6.2 its size is their number.
  if (size > 0) return size
  const directory = opendirSync(folder)
  try {
    let count = 0
    while (count < most && directory.readSync() !== null) count += 1
    return count
  } finally {
    directory.closeSync()
  }
}

function countTasks(root: number, most: number): number {
  let count = 0
  for (const pid of walkBelow(root)) {
    // One folder for each thread; none for a process that is gone.
    const found = statSync(`/proc/${pid}/task`, { throwIfNoEntry: false })
    count += found === undefined ? 0 : found.nlink - OWN_LINKS
    if (count >= most) break
  }
  return count
}
