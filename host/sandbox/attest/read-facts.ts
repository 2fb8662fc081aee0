import fs from 'node:fs'
import type { NamespaceKind } from './expected.ts'

/** What was read, or the code of the error that kept it from being read. */
export type Reading<Value> = { readonly value: Value } | { readonly unreadable: string }

/** What the kernel says of one process. */
export interface KernelFacts {
  readonly status: Reading<string>
  readonly limits: Reading<string>
  readonly environ: Reading<string>
  /** Where each open descriptor leads. */
  readonly descriptors: Reading<ReadonlyMap<number, string>>
  readonly mounts: Reading<string>
  /** The inode of its list of network devices: each network namespace has one of its own, and everybody may see it. */
  readonly networkInode: Reading<number>
  readonly namespaces: ReadonlyMap<NamespaceKind, Reading<string>>
}

const NAMESPACES: readonly NamespaceKind[] = ['mnt', 'pid', 'net', 'ipc', 'uts', 'cgroup', 'user']

/** Synchronous: some fifty calls of the system, while the process that is looked at loads. */
export function readFacts(pid: number | 'self'): KernelFacts {
  const at = `/proc/${pid}`
  return {
    status: attempt(() => fs.readFileSync(`${at}/status`, 'utf8')),
    limits: attempt(() => fs.readFileSync(`${at}/limits`, 'utf8')),
    environ: attempt(() => fs.readFileSync(`${at}/environ`, 'utf8')),
    descriptors: attempt(() => readDescriptors(`${at}/fd`)),
    mounts: attempt(() => fs.readFileSync(`${at}/mountinfo`, 'utf8')),
    networkInode: attempt(() => fs.statSync(`${at}/net/dev`).ino),
    namespaces: readNamespaces(pid),
  }
}

function readNamespaces(pid: number | 'self'): ReadonlyMap<NamespaceKind, Reading<string>> {
  return new Map(NAMESPACES.map((kind) => [kind, attempt(() => fs.readlinkSync(`/proc/${pid}/ns/${kind}`))]))
}

/** The first word of its command line; null when it is gone. Everybody may read it. */
export function readProgram(pid: number): string | null {
  try {
    return fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0', 1)[0] ?? null
  } catch {
    // It ended meanwhile; who waits for it hears of that.
    return null
  }
}

function readDescriptors(folder: string): ReadonlyMap<number, string> {
  const found = new Map<number, string>()
  for (const name of fs.readdirSync(folder)) {
    try {
      found.set(Number(name), fs.readlinkSync(`${folder}/${name}`))
    } catch (error) {
      // Closed between the two calls; anything else is no answer.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
  }
  return found
}

function attempt<Value>(read: () => Value): Reading<Value> {
  try {
    return { value: read() }
  } catch (error) {
    return { unreadable: (error as NodeJS.ErrnoException).code ?? 'unknown error' }
  }
}
