/** Whether bubblewrap can run here, and how it would get here. Asks nothing: what needs a password is not tried. */
import { execFile } from 'node:child_process'
import { access, constants } from 'node:fs/promises'
import path from 'node:path'

const PROBE_TIMEOUT_MS = 10_000
/** A slow mirror may take minutes; one that hangs must not hold a setup for ever. */
const INSTALL_TIMEOUT_MS = 300_000
const APT_INSTALL = ['apt-get', 'install', '-y', '-qq', '--no-install-recommends', 'bubblewrap'] as const
const APT_UPDATE = ['apt-get', 'update', '-qq'] as const

/** What a person types, by the package manager that is there. */
const INSTALL_COMMANDS = {
  'apt-get': 'apt-get install bubblewrap',
  dnf: 'dnf install bubblewrap',
  pacman: 'pacman -S bubblewrap',
  zypper: 'zypper install bubblewrap',
  apk: 'apk add bubblewrap',
} as const

export interface Machine {
  platform: string
  isRoot: boolean
  /** Names of the programs on PATH that matter here. */
  programs: ReadonlySet<string>
  /** `sudo -n` works without a password. */
  canSudo: boolean
}

export type InstallPlan =
  | { kind: 'apt'; prefix: readonly string[]; command: string }
  | { kind: 'manual'; command: string | null }

/** What `PHANTOM_BWRAP` names in the place of the one on PATH, empty for none; null where nothing is named. */
export async function namedBubblewrap(): Promise<{ file: string; isThere: boolean } | null> {
  const file = process.env['PHANTOM_BWRAP']
  return file === undefined ? null : { file, isThere: path.isAbsolute(file) && (await isProgram(file)) }
}

export async function examineMachine(): Promise<Machine> {
  const wanted = ['bwrap', 'sudo', ...Object.keys(INSTALL_COMMANDS)]
  const found = await Promise.all(wanted.map(async (name) => ((await isOnPath(name)) ? [name] : [])))
  const programs = new Set(found.flat())
  const isRoot = process.getuid?.() === 0
  const canSudo = !isRoot && programs.has('sudo') && (await succeeds(['sudo', '-n', 'true']))
  return { platform: process.platform, isRoot, programs, canSudo }
}

export function decideInstall(machine: Machine): InstallPlan {
  if (machine.platform !== 'linux') return { kind: 'manual', command: null }
  const manager = Object.keys(INSTALL_COMMANDS).find((name) => machine.programs.has(name))
  if (manager === undefined) return { kind: 'manual', command: null }
  const command = INSTALL_COMMANDS[manager as keyof typeof INSTALL_COMMANDS]
  const typed = machine.isRoot ? command : `sudo ${command}`
  if (manager !== 'apt-get' || !(machine.isRoot || machine.canSudo)) return { kind: 'manual', command: typed }
  const prefix = machine.isRoot ? [] : ['sudo', '-n']
  return { kind: 'apt', prefix: [...prefix, 'env', 'DEBIAN_FRONTEND=noninteractive'], command: typed }
}

/** Null when it worked, else apt's last words. A fresh image has no package lists: then they are fetched once. */
export async function installByApt(prefix: readonly string[]): Promise<string | null> {
  const first = await run([...prefix, ...APT_INSTALL], INSTALL_TIMEOUT_MS)
  if (first === null) return null
  const updated = await run([...prefix, ...APT_UPDATE], INSTALL_TIMEOUT_MS)
  return updated ?? (await run([...prefix, ...APT_INSTALL], INSTALL_TIMEOUT_MS))
}

/** Null when a sandbox can be made, else bubblewrap's words. Root needs no user namespace, others do. */
export async function tryBubblewrap(isRoot: boolean): Promise<string | null> {
  const namespaces = isRoot
    ? ['--unshare-pid', '--unshare-net', '--unshare-ipc', '--unshare-uts']
    : ['--unshare-all']
  const self = process.execPath
  const command = [
    process.env['PHANTOM_BWRAP'] ?? 'bwrap',
    ...namespaces,
    '--die-with-parent',
    '--ro-bind',
    '/',
    '/',
    '--',
    self,
    '--version',
  ]
  return await run(command, PROBE_TIMEOUT_MS)
}

async function isOnPath(name: string): Promise<boolean> {
  for (const folder of (process.env['PATH'] ?? '').split(path.delimiter)) {
    if (!path.isAbsolute(folder)) continue
    if (await isProgram(path.join(folder, name))) return true
  }
  return false
}

async function isProgram(file: string): Promise<boolean> {
  return await access(file, constants.X_OK).then(
    () => true,
    () => false,
  )
}

async function succeeds(command: readonly string[]): Promise<boolean> {
  return (await run(command, PROBE_TIMEOUT_MS)) === null
}

/** Null on success, else the last line on stderr, or why it did not run. */
function run([file = '', ...args]: readonly string[], timeoutMs: number): Promise<string | null> {
  return new Promise((resolve) => {
    const child = execFile(file, args, { timeout: timeoutMs }, (error, _stdout, stderr) => {
      const lastLine = stderr.trim().split('\n').at(-1) ?? ''
      resolve(error === null ? null : lastLine === '' ? error.message : lastLine)
    })
    // Nothing may wait for an answer.
    child.stdin?.end()
  })
}
