import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import os from 'node:os'

/**
 * Makes a process wait for others. All its threads, for each has a nice value of its own (setpriority(2)). Where the
 * kernel schedules by sessions (CONFIG_SCHED_AUTOGROUP, set by most distributions) those values count among the
 * processes of one session only; a sandbox is a session of its own, so there the session has to be nicer (sched(7)).
 *
 * @returns whether it is nicer now
 */
export function setNice(pid: number, nice: number): boolean {
  try {
    for (const thread of readdirSync(`/proc/${pid}/task`)) os.setPriority(Number(thread), nice)
    writeSessionNice(pid, nice)
    return true
  } catch {
    // ESRCH: it is gone. EACCES: another user's, or already nicer: nothing is lost, the kernel shares fairly.
    return false
  }
}

/** The session alone, which can be less nice again. @returns whether it is as nice now */
export function setSessionNice(pid: number, nice: number): boolean {
  try {
    return writeSessionNice(pid, nice)
  } catch {
    return false
  }
}

function writeSessionNice(pid: number, nice: number): boolean {
  const group = autogroupOf(pid)
  // Without a sandbox it shares the daemon's session.
  if (group === null || group === autogroupOf('self')) return false
  writeFileSync(`/proc/${pid}/autogroup`, String(nice))
  return true
}

/** `/autogroup-25 nice 0`; null where the kernel has no such groups. */
function autogroupOf(pid: number | 'self'): string | null {
  try {
    return readFileSync(`/proc/${pid}/autogroup`, 'latin1').split(' ', 1)[0] ?? null
  } catch {
    return null
  }
}
