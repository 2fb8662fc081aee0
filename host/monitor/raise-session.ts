import { readFileSync, writeFileSync } from 'node:fs'

/**
 * Lets the daemon come before the plugins. Every call waits for it, and who floods it with calls would otherwise get
 * its turns of the processor ahead of the one process that everybody needs. By session (sched(7), autogroups): unlike
 * the nice value of a process, a session's is not inherited by sandboxes, each of which has a session of its own.
 * Only for a daemon that leads its session; a shell's other programs are not its business.
 *
 * @returns whether it was changed; false where it is so already, without CAP_SYS_NICE, or where the kernel does not
 * schedule by sessions
 */
export function raiseSession(nice: number): boolean {
  try {
    if (!leadsItsSession() || hasNice(nice)) return false
    writeFileSync('/proc/self/autogroup', String(nice))
    return hasNice(nice)
  } catch {
    // EPERM: an ordinary user may be nicer, never less nice. ENOENT: no such groups here.
    return false
  }
}

/** `/autogroup-25 nice 0` */
function hasNice(nice: number): boolean {
  return readFileSync('/proc/self/autogroup', 'latin1').trim().endsWith(` nice ${nice}`)
}

/** proc_pid_stat(5): the session stands fourth behind the name, which may itself hold anything. */
function leadsItsSession(): boolean {
  const text = readFileSync('/proc/self/stat', 'latin1')
  const [, , , session] = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return Number(session) === process.pid
}
