import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import type { Duplex } from 'node:stream'
import { text as readAll } from 'node:stream/consumers'

import { SILENT_LIMITS } from '../../src/contract/manifest/silent-limits.ts'
import { NO_CAPABILITIES } from '../../src/contract/manifest.ts'
import type { RunnerIdentity } from './identity.ts'
import type { Machine } from './machine.ts'
import { planRunner, type RunnerPlan } from './plan-runner.ts'
import { findRunnerPid, readSandboxPid } from './sandbox-status.ts'
import { MAIN_NAME } from './runner-paths.ts'
import { spawnPlan } from './spawn-plan.ts'

const TRIAL_TIMEOUT_MS = 20_000
/** Ids that no pool gives out: the last two below the reserved end of the range (see identity.ts). */
const TRIAL_IDENTITY: RunnerIdentity = { uid: 0x7fff_fffe, gid: 0x7fff_fffe }
/** Far above any idle runner, where memory is not what is tried. */
const ROOMY_DATA_BYTES = 8 * 1024 ** 3

export interface Trial {
  /** CommonJS source of the program to run in the runner's place. */
  readonly source: string
  readonly maxMemoryMb?: number
  readonly env?: Readonly<Record<string, string>>
  readonly baseDataBytes?: number
  readonly isWasm?: boolean
  /** Whether it may start threads. */
  readonly threads?: number
  /** Called with the program's pid once it has written to fd 3; the program should end when fd 3 does. */
  readonly observe?: (pid: number) => void
}

export interface TrialResult {
  /** null when it was ended by a signal, or never began. */
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs our own small program exactly as a plugin without any permission would be run. */
export async function runTrial(machine: Machine, trial: Trial): Promise<TrialResult> {
  const folder = await fs.realpath(await fs.mkdtemp(path.join(os.tmpdir(), 'phantom-trial-')))
  try {
    const plan = planRunner(machine, await prepareTrial(machine, folder, trial))
    return await runPlan(plan, trial.observe)
  } finally {
    await fs.rm(folder, { recursive: true, force: true })
  }
}

/** What keeps a sandbox from starting, in the words of the tool that failed; null when nothing does. */
export async function tryNamespace(machine: Machine): Promise<string | null> {
  const { code, stdout, stderr } = await runTrial(machine, { source: "process.stdout.write('inside')" })
  if (code === 0 && stdout === 'inside') return null
  return stderr.trim() === '' ? `it ended with code ${code} and said nothing` : stderr.trim()
}

async function prepareTrial(
  machine: Machine,
  folder: string,
  trial: Trial,
): Promise<Parameters<typeof planRunner>[1]> {
  const runnerDirectory = path.join(folder, 'runner')
  const places = { pluginDir: path.join(folder, 'plugin'), dataDir: path.join(folder, 'data') }
  // Open whatever the daemon's umask, since the trial may run as another uid.
  await fs.chmod(folder, 0o755)
  for (const place of [runnerDirectory, ...Object.values(places)]) await makeFolder(place)
  await writeFile(path.join(runnerDirectory, MAIN_NAME), trial.source)
  return {
    ...places,
    runnerDirectory,
    overlayDir: null,
    validatorDir: null,
    workspace: folder,
    policy: {
      readPaths: [],
      writePaths: [],
      createPaths: [],
      hide: [],
      protect: [],
      env: trial.env ?? {},
      network: [],
      process: false,
      permissions: [],
      notices: [],
    },
    runtime: NO_CAPABILITIES,
    threads: trial.threads ?? 0,
    observe: false,
    isWasm: trial.isWasm ?? false,
    limits: { ...SILENT_LIMITS, maxMemoryMb: trial.maxMemoryMb ?? 64 },
    baseDataBytes: trial.baseDataBytes ?? ROOMY_DATA_BYTES,
    hasEgress: false,
    identity: machine.uid === 0 ? TRIAL_IDENTITY : null,
    gate: null,
    program: null,
  }
}

async function makeFolder(folder: string): Promise<void> {
  await fs.mkdir(folder)
  await fs.chmod(folder, 0o755)
}

async function writeFile(file: string, text: string): Promise<void> {
  await fs.writeFile(file, text)
  await fs.chmod(file, 0o644)
}

async function runPlan(plan: RunnerPlan, observe: Trial['observe']): Promise<TrialResult> {
  const { process: child, stdout, stderr, channel, status } = spawnPlan(plan)
  const late = setTimeout(() => child.kill('SIGKILL'), TRIAL_TIMEOUT_MS)
  const sandboxPid = status === null ? Promise.resolve(child.pid) : readSandboxPid(status)
  const runnerPid = async (): Promise<number | null> => {
    const pid = await sandboxPid
    return pid === null || plan.statusFd === null ? pid : findRunnerPid(pid, plan)
  }
  try {
    const [{ code }, out, err] = await Promise.all([
      child.exited,
      readAll(stdout),
      readAll(stderr),
      observeOnce(channel, runnerPid, observe),
    ])
    return { code, stdout: out, stderr: err }
  } finally {
    clearTimeout(late)
  }
}

/** Looks at the program once it has spoken, then lets it end. */
async function observeOnce(
  channel: Duplex,
  runnerPid: () => Promise<number | null>,
  observe: Trial['observe'],
): Promise<void> {
  // A program that ends with unread data in its channel resets it; its exit says what there is to say.
  channel.on('error', () => {})
  const spoke = await new Promise<boolean>((resolve) => {
    channel.once('data', () => resolve(true))
    channel.once('close', () => resolve(false))
  })
  try {
    const pid = spoke ? await runnerPid() : null
    if (pid !== null) observe?.(pid)
  } finally {
    channel.destroy()
  }
}
