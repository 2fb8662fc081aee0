import fs from 'node:fs'

/** Where programs are looked for whatever the daemon's environment says: its own PATH may be bare, or lead into a home. */
export const SYSTEM_PATH: readonly string[] = ['/usr/local/bin', '/usr/bin', '/bin', '/usr/sbin', '/sbin']

export interface ProgramFolder {
  readonly path: string
  /** Where it is a link, as on most systems /bin is one to usr/bin. */
  readonly linkTo: string | null
}

/** What a program of the system needs to start. Nothing in them is anybody's secret. */
const PROGRAM_FOLDERS = [
  '/usr',
  '/bin',
  '/sbin',
  '/lib',
  '/lib32',
  '/lib64',
  '/libx32',
  '/etc/alternatives',
  '/etc/ld.so.cache',
  '/etc/ssl/certs',
]

/** Tell of the host's kernel, or set it. */
const HOST_FILES = [
  '/proc/cmdline',
  '/proc/config.gz',
  '/proc/interrupts',
  '/proc/kallsyms',
  '/proc/kcore',
  '/proc/key-users',
  '/proc/keys',
  '/proc/kmsg',
  '/proc/latency_stats',
  '/proc/sched_debug',
  '/proc/sysrq-trigger',
  '/proc/timer_list',
]

export function findProgramFolders(): ProgramFolder[] {
  return PROGRAM_FOLDERS.flatMap((path) => {
    const stat = fs.lstatSync(path, { throwIfNoEntry: false })
    if (stat === undefined) return []
    return [{ path, linkTo: stat.isSymbolicLink() ? fs.readlinkSync(path) : null }]
  })
}

/**
 * Those that are there and open to others than root. Closed ones need no cover, which would cost every start a mount:
 * no plugin has root's uid, or a capability that opens them.
 */
export function findHostFiles(): string[] {
  return HOST_FILES.filter((file) => {
    const stat = fs.statSync(file, { throwIfNoEntry: false })
    return stat !== undefined && (stat.uid !== 0 || (stat.mode & 0o077) !== 0)
  })
}
