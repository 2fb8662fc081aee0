import {
  accessSync,
  constants,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import type { ManifestLimits } from '../../src/contract/manifest.ts'
import { messageOf } from '../../src/contract/phantom-error.ts'
import { InstanceCgroup } from './instance-cgroup.ts'
import { findOwnCgroup } from './own-cgroup.ts'

const CONTROLLERS = ['memory', 'pids', 'cpu'] as const
/** A group has processes or children with controllers, never both: the daemon goes into a child of its own. */
const DAEMON = 'daemon'
const INSTANCE = 'instance-'

/** What the machine lets the daemon divide among its plugins; or why nothing, in words. */
export type OpenedTree = { readonly tree: CgroupTree } | { readonly reason: string }

/** The part of the unified hierarchy that is the daemon's own (`Delegate=` of its systemd unit). */
export class CgroupTree {
  readonly #folder: string
  #made = 0

  private constructor(folder: string) {
    this.#folder = folder
  }

  /** That of this machine. Changes nothing where it is not delegated. */
  static ofMachine(): OpenedTree {
    const own = findOwnCgroup({
      cgroup: readText('/proc/self/cgroup'),
      mountinfo: readText('/proc/self/mountinfo'),
    })
    return 'reason' in own ? own : CgroupTree.open(own.folder, process.pid)
  }

  /** Takes a folder over: any that has the kernel's files. */
  static open(folder: string, daemonPid: number): OpenedTree {
    try {
      const missing = missingIn(folder, daemonPid)
      if (missing !== null) return { reason: missing }
      mkdirSync(join(folder, DAEMON), { recursive: true })
      writeFileSync(join(folder, DAEMON, 'cgroup.procs'), String(daemonPid))
      writeFileSync(join(folder, 'cgroup.subtree_control'), CONTROLLERS.map((name) => `+${name}`).join(' '))
      removeLeftovers(folder)
      return { tree: new CgroupTree(folder) }
    } catch (error) {
      return { reason: `it cannot be divided: ${messageOf(error)}` }
    }
  }

  /** A group for one process and all that it will start. */
  create(limits: ManifestLimits): InstanceCgroup {
    this.#made += 1
    const folder = join(this.#folder, `${INSTANCE}${this.#made}`)
    mkdirSync(folder)
    return new InstanceCgroup(folder, limits)
  }
}

export function treeIn(opened: OpenedTree): CgroupTree | null {
  return 'tree' in opened ? opened.tree : null
}

/** Read alone, for who only wants to know: changes nothing. */
export function describeCgroups(): string | null {
  const own = findOwnCgroup({
    cgroup: readText('/proc/self/cgroup'),
    mountinfo: readText('/proc/self/mountinfo'),
  })
  if ('reason' in own) return own.reason
  // A daemon that took its part over stands one below it.
  const folder = own.folder.endsWith(`/${DAEMON}`) ? own.folder.slice(0, -DAEMON.length - 1) : own.folder
  return missingIn(folder, null)
}

function missingIn(folder: string, daemonPid: number | null): string | null {
  const controllers = readText(join(folder, 'cgroup.controllers')).split(/\s+/)
  const absent = CONTROLLERS.filter((name) => !controllers.includes(name))
  if (absent.length > 0) return `its group lacks the controllers ${absent.join(', ')}`
  for (const file of ['cgroup.procs', 'cgroup.subtree_control'] as const) {
    try {
      accessSync(join(folder, file), constants.W_OK)
    } catch {
      return `its group is not its own to divide (${file} is not writable)`
    }
  }
  const strangers = readText(join(folder, 'cgroup.procs'))
    .split('\n')
    .filter((pid) => pid !== '' && pid !== String(daemonPid))
  return daemonPid === null || strangers.length === 0
    ? null
    : `others live in its group (${strangers.slice(0, 5).join(', ')})`
}

/** Of a daemon that was killed: its runners are gone with it, and so empty groups are all that is left. */
function removeLeftovers(folder: string): void {
  for (const name of readdirSync(folder)) {
    if (!name.startsWith(INSTANCE)) continue
    try {
      rmdirSync(join(folder, name))
    } catch {
      // Something still lives there; it is ended with the rest of what the daemon before left.
    }
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
