import fs from 'node:fs'
import os from 'node:os'

/**
 * How nice a process is to others. Where the kernel schedules by sessions (CONFIG_SCHED_AUTOGROUP), a process with a
 * session of its own is as nice as its session: sched(7).
 */
export function niceOf(pid: number): number {
  return sessionOf(pid)?.nice ?? os.getPriority(pid)
}

/** For a process with one thread that works and a session of its own. */
export function setNice(pid: number, nice: number): void {
  os.setPriority(pid, nice)
  if (sessionOf(pid) !== null) fs.writeFileSync(`/proc/${pid}/autogroup`, String(nice))
}

/** `/autogroup-25 nice 0`; null where it is that of this process, or the kernel has none. */
function sessionOf(pid: number): { nice: number } | null {
  const [group, , nice] = autogroup(pid)
  return group === undefined || group === autogroup('self')[0] ? null : { nice: Number(nice) }
}

function autogroup(pid: number | 'self'): string[] {
  try {
    return fs.readFileSync(`/proc/${pid}/autogroup`, 'utf8').trim().split(' ')
  } catch {
    return []
  }
}
