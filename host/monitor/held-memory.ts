import { readFileSync } from 'node:fs'

const KIBIBYTE = 1024

/**
 * What processes hold that is theirs: private and shared memory, not the pages of files that the kernel may drop
 * (proc_pid_status(5)). What several of them share counts for each.
 */
export function heldBytes(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + heldBy(pid), 0)
}

function heldBy(pid: number): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'latin1')
    const kibibytes = [/^RssAnon:\s+(\d+)/m, /^RssShmem:\s+(\d+)/m].map((line) =>
      Number(line.exec(status)?.[1] ?? 0),
    )
    return kibibytes.reduce((sum, value) => sum + value, 0) * KIBIBYTE
  } catch {
    // ESRCH: it is gone, and holds nothing.
    return 0
  }
}
