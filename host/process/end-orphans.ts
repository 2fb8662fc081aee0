import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'

/**
 * Ends sandboxes that a killed daemon left half made. bubblewrap dies with its parent from the moment it has said so
 * to the kernel; a daemon that is killed in the milliseconds before leaves a bubblewrap that waits for ever, with no
 * plugin in it. To be called with the state folder's lock held and before the first start: then whatever names this
 * folder in its mounts is nobody's.
 *
 * @returns the pids that were ended
 */
export function endOrphans(stateDirectory: string): number[] {
  const dataDirectory = join(stateDirectory, 'data', '/')
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => isSandboxOf(pid, dataDirectory) && end(pid))
}

function isSandboxOf(pid: number, dataDirectory: string): boolean {
  try {
    const [program = '', ...args] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
    return basename(program) === 'bwrap' && args.some((argument) => argument.startsWith(dataDirectory))
  } catch {
    // It ended meanwhile, or is another user's.
    return false
  }
}

function end(pid: number): boolean {
  try {
    process.kill(pid, 'SIGKILL')
    return true
  } catch {
    // ESRCH: it ended by itself. EPERM: it is another user's, so not ours.
    return false
  }
}
