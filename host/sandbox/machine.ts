import { constants } from 'node:fs'
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { execa } from 'execa'

import type { IsolationTier } from '../../src/contract/life.ts'
import { messageOf } from '../../src/contract/phantom-error.ts'
import { findHostFiles, findProgramFolders, SYSTEM_PATH, type ProgramFolder } from './host-folders.ts'
import { copyLibraries, type LibraryFolder } from './library-folders.ts'
import { explainNamespaceFailure, INSTALL_BUBBLEWRAP } from './remedies.ts'
import { isSeccompArch, type SeccompArch } from './seccomp/seccomp-program.ts'
import { tryNamespace } from './trial.ts'

const TOOL_TIMEOUT_MS = 10_000
/** The kernel's sets have 64 bits. */
const HIGHEST_CAPABILITY = 63

export interface ProbeOptions {
  readonly nodePath: string
  /** A folder of the daemon's own for copies of the libraries; none are made without it. */
  readonly libraryDirectory?: string
}

/** What this machine has to hold a runner with; found once, at the daemon's start. */
export interface Machine {
  readonly tier: IsolationTier
  readonly nodePath: string
  /** The daemon's. */
  readonly uid: number
  /** As `uname -r` says it. */
  readonly kernelRelease: string
  readonly bwrapPath: string | null
  readonly setprivPath: string | null
  readonly prlimitPath: string | null
  /** Which filter of system calls fits; null where none does. */
  readonly seccompArch: SeccompArch | null
  /** Whether bubblewrap can mount what is open instead of a path. */
  readonly hasBindFd: boolean
  /** Why the tier is not `namespace`, with the remedy; null where it is. */
  readonly reasonNoNamespace: string | null
  /** The highest capability that the kernel knows. */
  readonly lastCapability: number
  /** Shared objects and the loader of node, as paths of the host. */
  readonly libraries: readonly string[]
  /** The same as copies that are mounted in their place; empty where there are none. */
  readonly libraryFolders: readonly LibraryFolder[]
  /** For plugins that may start programs. */
  readonly programFolders: readonly ProgramFolder[]
  /** Files of /proc that tell of the host and are covered. */
  readonly hostFiles: readonly string[]
}

/**
 * Really starts a sandbox to find out. Never throws: what is missing becomes tier `process` and a reason.
 * `PHANTOM_BWRAP` names another bubblewrap; empty, or a path where nothing is, counts as none.
 */
export async function probeMachine(options: ProbeOptions): Promise<Machine> {
  const [bwrapPath, setprivPath, prlimitPath] = await Promise.all([
    findBubblewrap(),
    findTool('setpriv'),
    findTool('prlimit'),
  ])
  const nodePath = await fs.realpath(options.nodePath).catch(() => options.nodePath)
  const candidate: Machine = {
    tier: 'namespace',
    nodePath,
    uid: process.getuid?.() ?? -1,
    kernelRelease: os.release(),
    bwrapPath,
    setprivPath,
    prlimitPath,
    seccompArch: isSeccompArch(process.arch) ? process.arch : null,
    hasBindFd: bwrapPath !== null && (await hasBindFd(bwrapPath)),
    reasonNoNamespace: null,
    lastCapability: await readLastCapability(),
    libraries: [],
    libraryFolders: [],
    programFolders: findProgramFolders(),
    hostFiles: findHostFiles(),
  }
  try {
    const missing = explainMissing(candidate)
    if (missing !== null) return withoutNamespace(candidate, missing)
    const machine = { ...candidate, libraries: await readLibraries(nodePath) }
    const { libraryDirectory = null } = options
    const withCopies = libraryDirectory === null ? null : await tryCopies(machine, libraryDirectory)
    if (withCopies !== null) return withCopies
    const failure = await tryNamespace(machine)
    return failure === null
      ? machine
      : withoutNamespace(machine, await explainNamespaceFailure(failure, machine.uid))
  } catch (error) {
    return withoutNamespace(candidate, `The trial of bubblewrap did not get to its end: ${messageOf(error)}`)
  }
}

/** Null where they can't be made, or not be run from: on a file system that is mounted `noexec`, for one. */
async function tryCopies(machine: Machine, directory: string): Promise<Machine | null> {
  try {
    const withCopies = { ...machine, libraryFolders: copyLibraries(machine.libraries, directory) }
    return (await tryNamespace(withCopies)) === null ? withCopies : null
  } catch {
    // The host's own serve as well.
    return null
  }
}

function withoutNamespace(machine: Machine, reason: string): Machine {
  return { ...machine, tier: 'process', reasonNoNamespace: reason }
}

function explainMissing({ bwrapPath, seccompArch }: Machine): string | null {
  if (process.platform !== 'linux')
    return `Namespaces are Linux's, and this is ${process.platform}. There is no remedy here`
  if (seccompArch === null)
    return `There is no filter of system calls for ${process.arch}, only for x64 and arm64. There is no remedy here`
  if (bwrapPath === null) return `bubblewrap is not installed. ${INSTALL_BUBBLEWRAP}`
  return null
}

async function findBubblewrap(): Promise<string | null> {
  const named = process.env['PHANTOM_BWRAP']
  if (named === undefined) return findTool('bwrap')
  return path.isAbsolute(named) && (await isExecutable(named)) ? named : null
}

async function findTool(name: string): Promise<string | null> {
  const folders = [...(process.env['PATH'] ?? '').split(':'), ...SYSTEM_PATH].filter((folder) =>
    path.isAbsolute(folder),
  )
  for (const folder of folders) {
    const file = path.join(folder, name)
    if (await isExecutable(file)) return file
  }
  return null
}

async function isExecutable(file: string): Promise<boolean> {
  try {
    await fs.access(file, constants.X_OK)
    return (await fs.stat(file)).isFile()
  } catch {
    return false
  }
}

async function hasBindFd(bwrapPath: string): Promise<boolean> {
  const help = await execa(bwrapPath, ['--help'], { reject: false, timeout: TOOL_TIMEOUT_MS })
  return `${help.stdout}${help.stderr}`.includes('--ro-bind-fd')
}

/** A program without shared objects makes ldd fail; it needs none of them then. */
async function readLibraries(program: string): Promise<string[]> {
  const { stdout } = await execa('ldd', [program], { reject: false, timeout: TOOL_TIMEOUT_MS })
  const paths = stdout.split('\n').flatMap((line) => /^\s*(?:\S+ => )?(\/\S+) \(0x/.exec(line)?.[1] ?? [])
  return [...new Set(paths)].toSorted()
}

/** Where /proc/sys is not to be read, the highest number there could be: one too many is refused, and nothing starts. */
async function readLastCapability(): Promise<number> {
  const text = await fs.readFile('/proc/sys/kernel/cap_last_cap', 'utf8').catch(() => '')
  return /^\d+$/.test(text.trim()) ? Number(text) : HIGHEST_CAPABILITY
}
