import { PhantomError } from '../../src/contract/phantom-error.ts'
import type { IsolationTier } from '../../src/contract/life.ts'
import {
  RUNTIME_CAPABILITIES,
  type ManifestLimits,
  type RuntimeCapabilities,
} from '../../src/contract/manifest.ts'
import type { EntryRequest } from './entry/entry-program.ts'
import type { Expected } from './attest/expected.ts'
import type { Gate } from './entry/gate-steps.ts'
import { expectRunner } from './expect-runner.ts'
import type { RunnerIdentity } from './identity.ts'
import type { Machine } from './machine.ts'
import type { Mechanisms } from './mechanisms.ts'
import { planNamespace } from './plan-namespace.ts'
import { planProcess } from './plan-process.ts'
import type { Policy } from './policy.ts'

/** A program of the plugin's own, in the place of the runner. */
export interface OwnProgram {
  /** As it lies inside the sandbox, with what an interpreter wants before it. */
  readonly command: readonly string[]
  /** Files and folders of the system that it needs, each at its own path: all that it will see of the system. */
  readonly systemPaths: readonly string[]
  readonly systemLinks: readonly { readonly at: string; readonly to: string }[]
}

/** All paths absolute and canonical. */
export interface RunnerRequest {
  /** Of the runner's bundle `main.cjs`, and beside it what plugins import from `@phantom-ml/core/plugin`. */
  readonly runnerDirectory: string
  readonly pluginDir: string
  /** A whole copy of the plugin with its TypeScript stripped, to stand in the plugin's place; null for none. */
  readonly overlayDir: string | null
  /** Generated input validators, readable at their own path; null for none. */
  readonly validatorDir: string | null
  readonly workspace: string
  readonly dataDir: string
  readonly policy: Policy
  readonly limits: ManifestLimits
  /** What of Node's own is opened beyond permissions. */
  readonly runtime: RuntimeCapabilities
  /** That it may run tasks on; 0: it starts none. */
  readonly threads: number
  /** See `measureMemoryBase`. */
  readonly baseDataBytes: number
  /** Whether a proxy of the daemon stands before the granted hosts: where the policy grants some, and a sandbox has a way to it. */
  readonly hasEgress: boolean
  /** Whom to run as; null only where the daemon is not root. */
  readonly identity: RunnerIdentity | null
  /** Whether the plugin is a WebAssembly module. */
  readonly isWasm: boolean
  /** Node's permission model tells, and refuses nothing: only where a namespace holds the plugin. */
  readonly observe: boolean
  /**
   * In a sandbox the entry program tries this (`Attestor.gate`), and executes a program that does not answer `attest`
   * itself only when the daemon sends the message after that. Null for a program that is asked for nothing.
   */
  readonly gate: Omit<Gate, 'start'> | null
  /** Null for the runner. Nothing of Node's is there for any other, and only a namespace holds one. */
  readonly program: OwnProgram | null
}

/** What to spawn, see `spawnPlan`. */
export interface WallPlan {
  readonly tier: IsolationTier
  readonly file: string
  readonly args: readonly string[]
  /** The whole environment. Values never stand in `args`. */
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string
  /** Where the sandbox reports its process, see `readSandboxStatus`. */
  readonly statusFd: 4 | null
  /** Whether the sandbox's first process is bubblewrap's and the runner its child, or the runner itself. */
  readonly hasReaper: boolean
  /** The program that makes the last steps inside, which the sandbox reads from descriptor 5; null without a sandbox. */
  readonly entry: EntryRequest | null
  /** What is mounted by what it is when it is opened, from descriptor 6 on; see `openBind`. */
  readonly binds: readonly string[]
  /** What is mounted by its path although somebody might swap it: the attestation sees that no link was followed. */
  readonly named: readonly string[]
  /** Whether the entry program passes a listener, by a channel that is the last descriptor; see `StartedProcess.takeListener`. */
  readonly passesListener: boolean
  /** Where the runner finds the plugin's code; not always `pluginDir`, since tier `process` can't mount a copy. */
  readonly pluginPath: string
  readonly mechanisms: Mechanisms
}

export interface RunnerPlan extends WallPlan {
  /** What is read back from the kernel before the plugin's code loads. */
  readonly expected: Expected
}

/**
 * Pure: what to spawn so that a runner gets exactly what the policy says.
 * @throws PhantomError `SANDBOX_UNAVAILABLE` when a runner would keep the uid of root
 */
export function planRunner(machine: Machine, request: RunnerRequest): RunnerPlan {
  // Inside a sandbox the entry program becomes that uid.
  const needsSetpriv = machine.tier === 'process' && machine.setprivPath === null
  if (machine.uid === 0 && (request.identity === null || needsSetpriv)) {
    const what = needsSetpriv ? '"setpriv" is not installed' : 'it has no user id to give it'
    throw new PhantomError(
      'SANDBOX_UNAVAILABLE',
      `Cannot start a plugin from "${request.pluginDir}": the daemon is root and ${what}, and no plugin runs as root. ` +
        'Install util-linux, or run the daemon as the owner of the workspace',
      { details: { tier: machine.tier, uid: machine.uid } },
    )
  }
  if (machine.tier === 'process') {
    if (request.gate?.waits === true)
      throw new TypeError('only a sandbox holds a program other than the runner')
    refuseWhatPassesNode(machine, request)
  }
  const plan = machine.tier === 'namespace' ? planNamespace(machine, request) : planProcess(machine, request)
  return { ...plan, expected: expectRunner(machine, request, plan) }
}

/** In tier `process` Node's permission model is all that holds files and network, and each of these goes past it. */
function refuseWhatPassesNode(machine: Machine, { policy, pluginDir, runtime }: RunnerRequest): void {
  const asked = RUNTIME_CAPABILITIES.filter((name) => runtime[name]).map((name) => `[runtime] ${name} = true`)
  const [passing] = [...(policy.process ? ['the permission "process"'] : []), ...asked]
  if (passing === undefined) return
  throw new PhantomError(
    'PLUGIN_BLOCKED',
    `Cannot start a plugin from "${pluginDir}": it has ${passing}, which is allowed in tier "namespace" alone, and ` +
      `this machine gives tier "process" (${machine.reasonNoNamespace}). Run "phantom doctor", or do without`,
    { details: { tier: machine.tier } },
  )
}
