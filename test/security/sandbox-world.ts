import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import type { Duplex } from 'node:stream'

import type { RunnerIdentity } from '../../host/sandbox/identity.ts'
import { probeMachine, type Machine } from '../../host/sandbox/machine.ts'
import { planRunner, type RunnerPlan, type RunnerRequest } from '../../host/sandbox/plan-runner.ts'
import { resolvePolicy, type Policy } from '../../host/sandbox/policy.ts'
import { NODE_INSIDE } from '../../host/sandbox/runner-paths.ts'
import { spawnPlan } from '../../host/sandbox/spawn-plan.ts'
import type { SpawnPowers } from '../../host/process/spawn-runner.ts'
import type { IsolationTier } from '../../src/contract/life.ts'
import {
  NO_CAPABILITIES,
  type ManifestLimits,
  type RuntimeCapabilities,
} from '../../src/contract/manifest.ts'
import { SILENT_LIMITS } from '../../src/contract/manifest/silent-limits.ts'
import type { Permission } from '../../src/contract/permission.ts'

const ESBUILD = path.join(import.meta.dirname, '../../node_modules/.bin/esbuild')
const PROBES = path.join(import.meta.dirname, '../fixtures/probes')
/** Nobody's, and not the daemon's. */
const ORDINARY_UID = 65533
const IDENTITY: RunnerIdentity = { uid: 0x7fff_0000, gid: 0x7fff_0001 }
const PROBE_TIMEOUT_MS = 30_000
/** VmData of an idle Node 26 on x86-64, rounded; `measureMemoryBase` has a test of its own. */
const BASE_DATA_BYTES = 562 * 1024 * 1024

/** Which daemon starts the sandbox: root, or anybody else. */
export type DaemonKind = 'root' | 'ordinary'

export interface ProbeOptions {
  readonly permissions?: readonly Permission[]
  readonly environment?: NodeJS.ProcessEnv
  /** For `process.env.PROBE` inside: a string as it is, anything else as JSON. */
  readonly input?: unknown
  readonly maxMemoryMb?: number
  readonly limits?: Partial<ManifestLimits>
  /** Policy that no permission of the test's gives: who grants it is another's test. */
  readonly runtime?: Partial<RuntimeCapabilities>
  readonly threads?: number
  /** Whether it stands in the place of a runner that serves WebAssembly. */
  readonly isWasm?: boolean
  /** What the machine is to be taken for. */
  readonly machine?: Partial<Machine>
  readonly opened?: Partial<Pick<Policy, 'network' | 'process'>>
  readonly gate?: RunnerRequest['gate']
  readonly hasEgress?: boolean
  /** Without Node's own layer, so that only the kernel holds. */
  readonly kernelOnly?: boolean
}

/** A workspace, a plugin, other plugins and a daemon's state, and a secret outside of all. */
export class SandboxWorld {
  readonly daemon: DaemonKind
  readonly root: string
  readonly workspace: string
  readonly pluginDir: string
  readonly dataDir: string
  readonly stateDir: string
  readonly secret: string
  /** null for what the machine gives. */
  readonly #tier: IsolationTier | null
  #machine: Machine | null = null

  /** `base`: a folder of the host that is not below its /tmp, which a sandbox never shows. */
  constructor(daemon: DaemonKind, tier: IsolationTier | null = null, base = os.tmpdir()) {
    this.daemon = daemon
    this.#tier = tier
    this.root = fs.realpathSync(fs.mkdtempSync(path.join(base, 'phantom-walls-')))
    this.workspace = path.join(this.root, 'workspace')
    this.pluginDir = path.join(this.workspace, 'tools/plugins/mine')
    this.stateDir = path.join(this.workspace, '.phantom')
    this.dataDir = path.join(this.stateDir, 'data/mine')
    this.secret = path.join(this.root, 'secret.txt')
  }

  async open(): Promise<void> {
    const files = {
      'secret.txt': 'SECRET',
      'workspace/data/given.txt': 'given',
      'workspace/private/kept.txt': 'SECRET',
      'workspace/out/old.txt': 'old',
      'workspace/tools/plugins/mine/index.mjs': "import { word } from 'sdk'\nexport const answer = word",
      'workspace/tools/plugins/other/index.mjs': 'export {}',
      'workspace/.phantom/state.db': 'SECRET',
      'workspace/.phantom/data/mine/old.txt': 'old',
      'workspace/.phantom/data/other/theirs.txt': 'SECRET',
    }
    for (const [name, content] of Object.entries(files)) {
      fs.mkdirSync(path.dirname(path.join(this.root, name)), { recursive: true })
      fs.writeFileSync(path.join(this.root, name), content)
    }
    fs.symlinkSync(this.secret, path.join(this.pluginDir, 'link.txt'))
    fs.symlinkSync(this.root, path.join(this.workspace, 'data/link'))
    // Ordinary permissions let everybody in everywhere: whatever is denied, the sandbox denied.
    openToAll(this.root)
    // But what is executed has to stay so.
    this.#machine = await probeMachine({ nodePath: process.execPath, libraryDirectory: this.root })
  }

  close(): void {
    fs.rmSync(this.root, { recursive: true, force: true })
  }

  get machine(): Machine {
    if (this.#machine === null) throw new TypeError('open() comes first')
    const uid = this.daemon === 'root' ? 0 : process.getuid?.() || ORDINARY_UID
    return { ...this.#machine, uid, tier: this.#tier ?? this.#machine.tier }
  }

  /** The plan for one probe, with whatever makes this process the daemon it stands for. */
  plan(probe: string, options: ProbeOptions = {}): RunnerPlan {
    const { workspace, pluginDir, dataDir, stateDir } = this
    const machine = { ...this.machine, ...options.machine }
    const identity = this.daemon === 'root' ? IDENTITY : null
    const input = typeof options.input === 'string' ? options.input : JSON.stringify(options.input ?? {})
    const policy = resolvePolicy(
      [...(options.permissions ?? []), { kind: 'env', declared: 'env:PROBE', variables: ['PROBE'] }],
      {
        workspace,
        pluginDir,
        dataDir,
        hidden: [stateDir],
        secretsFile: null,
        protect: [path.join(workspace, 'tools/plugins')],
        forbidden: [],
        environment: { ...options.environment, PROBE: input },
        identity,
      },
      machine,
    )
    const { maxMemoryMb = 100 } = options
    const plan = planRunner(machine, {
      observe: false,
      isWasm: options.isWasm ?? false,
      runnerDirectory: this.#runnerFor(probe),
      pluginDir,
      workspace,
      dataDir,
      policy: { ...policy, ...options.opened },
      identity,
      overlayDir: null,
      validatorDir: null,
      runtime: { ...NO_CAPABILITIES, ...options.runtime },
      threads: options.threads ?? 0,
      limits: { ...SILENT_LIMITS, ...options.limits, maxMemoryMb },
      baseDataBytes: BASE_DATA_BYTES,
      hasEgress: options.hasEgress ?? false,
      gate: options.gate ?? null,
      program: null,
    })
    return this.#asDaemon(options.kernelOnly === true ? withoutNodeLayer(plan) : plan)
  }

  /** Runs a probe to its end; what it wrote to stdout, parsed. */
  async report<Report>(probe: string, options: ProbeOptions = {}): Promise<Report> {
    const { stdout, stderr, code } = await runPlan(this.plan(probe, options), null)
    if (code !== 0 || stderr !== '') throw new Error(`the probe ended with code ${code}: ${stderr}`)
    return JSON.parse(stdout) as Report
  }

  /** The same walls around a program of the plugin's own folder in place of Node. */
  nativePlan(program: string, words: readonly string[], options: ProbeOptions = {}): RunnerPlan {
    const plan = this.plan('facts.cjs', options)
    const chain = plan.args.slice(0, plan.args.lastIndexOf(NODE_INSIDE))
    return { ...plan, args: [...chain, path.join(this.pluginDir, program), ...words] }
  }

  /** A probe in the runner's place. */
  #runnerFor(probe: string): string {
    const directory = path.join(this.root, 'runners', probe)
    if (fs.existsSync(directory)) return directory
    fs.mkdirSync(directory, { recursive: true, mode: 0o755 })
    const main = path.join(directory, 'main.cjs')
    if (probe.endsWith('.ts')) bundle(path.join(PROBES, probe), main)
    else fs.copyFileSync(path.join(PROBES, probe), main)
    fs.writeFileSync(path.join(directory, 'sdk.mjs'), "export const word = 'from the sdk'", { mode: 0o644 })
    return directory
  }

  #asDaemon(plan: RunnerPlan): RunnerPlan {
    if (this.daemon === 'root' || process.getuid?.() !== 0) return plan
    const drop = [`--reuid=${ORDINARY_UID}`, `--regid=${ORDINARY_UID}`, '--clear-groups', '--']
    return { ...plan, file: this.machine.setprivPath ?? 'setpriv', args: [...drop, plan.file, ...plan.args] }
  }
}

export interface PlanOutcome {
  readonly stdout: string
  readonly stderr: string
  readonly channel: string
  readonly code: number | null
}

/** Spawns as the daemon does. `say` goes to fd 3. */
export async function runPlan(plan: RunnerPlan, say: string | null): Promise<PlanOutcome> {
  const { process: child, stdout, stderr, channel, status } = spawnPlan(plan)
  const late = setTimeout(() => child.kill('SIGKILL'), PROBE_TIMEOUT_MS)
  status?.resume()
  channel.on('error', () => {})
  if (say !== null) channel.write(say)
  const [out, err, words, { code }] = await Promise.all([
    text(stdout),
    text(stderr),
    text(channel),
    child.exited,
  ])
  clearTimeout(late)
  return { stdout: out, stderr: err, channel: words, code }
}

async function text(stream: Duplex): Promise<string> {
  let all = ''
  try {
    for await (const chunk of stream) all += String(chunk)
  } catch {
    // A channel is reset when its peer dies with unread data.
  }
  return all
}

/** By its program: what esbuild's library starts would outlive the test. */
function bundle(source: string, outfile: string): void {
  const options = ['--bundle', '--platform=node', '--format=cjs', '--log-level=error', `--outfile=${outfile}`]
  execFileSync(ESBUILD, [source, ...options])
}

function withoutNodeLayer(plan: RunnerPlan): RunnerPlan {
  const isNodes = (one: string): boolean =>
    /^--(?:permission|allow-fs|no-addons|no-experimental|disallow-code)/.test(one)
  return { ...plan, args: plan.args.filter((one) => !isNodes(one)) }
}

function openToAll(folder: string): void {
  fs.chmodSync(folder, 0o777)
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    const full = path.join(folder, entry.name)
    if (entry.isDirectory()) openToAll(full)
    else if (entry.isFile()) fs.chmodSync(full, 0o666)
  }
}

/** To spawn a process that has neither a control group nor a way out. */
export const NO_POWERS: SpawnPowers = { cgroup: null, egress: null, startTimeoutMs: PROBE_TIMEOUT_MS }
