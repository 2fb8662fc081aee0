import { CAPABILITY_SETS, type CapabilitySet, type Expected, type NamespaceKind } from './attest/expected.ts'
import { mountsIn } from './attest/expected-mounts.ts'
import type { Machine } from './machine.ts'
import { FIRST_BIND } from './plan-namespace.ts'
import type { RunnerRequest, WallPlan } from './plan-runner.ts'
import { rlimitsOf } from './rlimits.ts'
import { ENTRY_INSIDE, NODE_INSIDE } from './runner-paths.ts'

const NAMESPACES: readonly NamespaceKind[] = ['mnt', 'pid', 'net', 'ipc', 'uts', 'cgroup']
/** Where nothing takes the bounding set away, `no_new_privs` keeps a program from getting anything out of it. */
const WITHOUT_BOUNDING: readonly CapabilitySet[] = ['CapInh', 'CapPrm', 'CapEff', 'CapAmb']

/** Flags that open a part of Node's permission model, by its own name of that part. */
const NODE_SCOPES: ReadonlyMap<string, string> = new Map([
  ['--allow-child-process', 'child'],
  ['--allow-worker', 'worker'],
  ['--allow-net', 'net'],
  ['--allow-addons', 'addon'],
  ['--allow-wasi', 'wasi'],
  ['--allow-inspector', 'inspector'],
  ['--allow-ffi', 'ffi'],
])

const AUDIT = '--permission-audit'

/** What a plan declares, in the kernel's own figures. */
export function expectRunner(machine: Machine, request: RunnerRequest, plan: WallPlan): Expected {
  const { identity } = request
  const isNamespace = plan.tier === 'namespace'
  return {
    program: programOf(machine, plan),
    canary: plan.entry?.gate ?? null,
    isGated: plan.entry?.gate?.waits === true,
    uid: identity?.uid ?? machine.uid,
    gid: identity?.gid ?? null,
    groups: identity === null ? null : [],
    noNewPrivs: isNamespace || machine.setprivPath !== null,
    emptyCapabilities: isNamespace || identity !== null ? CAPABILITY_SETS : WITHOUT_BOUNDING,
    seccompMode: plan.entry === null ? null : 2,
    namespaces: isNamespace ? namespacesFor(machine) : [],
    rlimits: isNamespace || machine.prlimitPath !== null ? rlimitsFor(machine, request) : null,
    mounts: isNamespace ? mountsFor(plan) : null,
    env: plan.env,
    node: nodeScopes(plan.args),
    notHeld: isNamespace ? [] : notHeldBy(machine, request),
    mechanisms: mechanismsOf(plan, request),
  }
}

/** What runs when the process is looked at. Behind a gate that is the entry program; executing another gives it no more. */
function programOf({ nodePath }: Machine, { tier, entry }: WallPlan): string {
  if (tier === 'process') return nodePath
  return entry?.gate?.waits === true ? ENTRY_INSIDE : NODE_INSIDE
}

/** Observing, the model refuses nothing. */
function nodeScopes(args: readonly string[]): readonly string[] {
  if (args.includes(AUDIT)) return [...NODE_SCOPES.values()]
  return [...NODE_SCOPES].flatMap(([flag, scope]) => (args.includes(flag) ? [scope] : []))
}

/** A root daemon's runners have none for users: see `planNamespace`. */
function namespacesFor({ uid }: Machine): readonly NamespaceKind[] {
  return uid === 0 ? NAMESPACES : [...NAMESPACES, 'user']
}

function mountsFor({ args, binds, named, entry }: WallPlan): Expected['mounts'] {
  return mountsIn(args, { binds, firstDescriptor: FIRST_BIND, named, closing: entry?.mounts ?? [] })
}

function rlimitsFor(machine: Machine, request: RunnerRequest): Expected['rlimits'] {
  return rlimitsOf(machine, request)
}

function notHeldBy(machine: Machine, { identity }: RunnerRequest): Expected['notHeld'] {
  return [
    { name: 'namespace', declared: 'it sees the machine as the daemon does' },
    { name: 'mounts', declared: "it has the daemon's file system" },
    { name: 'seccomp', declared: 'every call of the system is open to it' },
    ...(identity === null ? [{ name: 'uid.own', declared: "it has the daemon's own" }] : []),
    ...(machine.setprivPath === null ? [{ name: 'no_new_privs', declared: 'setpriv is not installed' }] : []),
    ...(machine.prlimitPath === null ? [{ name: 'rlimit', declared: 'prlimit is not installed' }] : []),
  ]
}

function mechanismsOf({ mechanisms, tier }: WallPlan, { identity }: RunnerRequest): Expected['mechanisms'] {
  const isNamespace = tier === 'namespace'
  return {
    uid: mechanisms.uid,
    groups:
      identity === null ? null : isNamespace ? 'none given inside the sandbox' : 'setpriv --clear-groups',
    no_new_privs: mechanisms.privileges,
    capabilities: mechanisms.privileges,
    seccomp: mechanisms.systemCalls,
    namespace: 'bubblewrap',
    rlimit: isNamespace ? 'set inside the sandbox' : 'prlimit',
    environment: 'exact environment',
    descriptors: "close-on-exec, and the daemon's own closed",
    files: mechanisms.files,
    processes: mechanisms.processes,
    network: mechanisms.network,
  }
}
