import fs from 'node:fs'
import { RUN_MARKER, type RunFolder } from './run-folder.ts'

export interface LeftProcess {
  readonly pid: number
  readonly commandLine: string
}

interface ProcessFacts extends LeftProcess {
  readonly parentPid: number
  readonly isMarked: boolean
}

/**
 * Processes of this run, other than the test process itself: its descendants, whoever carries the run's marker
 * in its environment or the run's folder in its command line, and the descendants of those (a sandbox has a
 * cleared environment, and a daemon is nobody's child). Linux only: elsewhere there is no /proc to read.
 */
export function findProcessesOf(folder: RunFolder): LeftProcess[] {
  const all = readAllProcesses(folder)
  const ours = new Set([process.pid, ...all.filter((one) => one.isMarked).map((one) => one.pid)])
  const ancestors = ancestorsOf(process.pid, all)
  for (let before = -1; before !== ours.size;) {
    before = ours.size
    for (const one of all) if (ours.has(one.parentPid)) ours.add(one.pid)
  }
  return all.filter(({ pid }) => ours.has(pid) && pid !== process.pid && !ancestors.has(pid))
}

function readAllProcesses(folder: RunFolder): ProcessFacts[] {
  if (!fs.existsSync('/proc/self/stat')) return []
  const pids = fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return pids.flatMap((pid) => readProcess(Number(pid), folder) ?? [])
}

/** `undefined` for a process that is gone, or dead and not yet collected by its parent. */
function readProcess(pid: number, folder: RunFolder): ProcessFacts | undefined {
  const stat = readIfThere(`/proc/${pid}/stat`)
  // The name in parentheses may itself hold spaces and parentheses.
  const [state, parentPid] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  if (state === undefined || state === '' || state === 'Z' || state === 'X') return undefined
  const commandLine = readIfThere(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim()
  const environment = readIfThere(`/proc/${pid}/environ`).split('\0')
  const isMarked = environment.includes(`${RUN_MARKER}=${folder.id}`) || commandLine.includes(folder.path)
  return { pid, parentPid: Number(parentPid), commandLine, isMarked }
}

/** Empty for what has just ended (ENOENT, ESRCH) and for what another user owns (EACCES, EPERM). */
function readIfThere(file: string): string {
  try {
    return fs.readFileSync(file, 'latin1')
  } catch {
    return ''
  }
}

/** The shell that started the tests may itself name the folder; nobody's ancestor is left behind. */
function ancestorsOf(pid: number, all: readonly ProcessFacts[]): Set<number> {
  const parents = new Map(all.map((one) => [one.pid, one.parentPid]))
  const ancestors = new Set<number>()
  for (let at = parents.get(pid); at !== undefined && !ancestors.has(at); at = parents.get(at))
    ancestors.add(at)
  return ancestors
}
