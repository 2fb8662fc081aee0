import type { Machine } from './machine.ts'
import type { Mechanisms } from './mechanisms.ts'
import { planMounts } from './mounts.ts'
import type { RunnerRequest, WallPlan } from './plan-runner.ts'
import { rlimitsOf } from './rlimits.ts'
import { baseEnvironment, EGRESS_PORT, egressEnvironment, runnerCommand } from './runner-command.ts'
import { ENTRY_INSIDE, NODE_INSIDE, RUNNER_INSIDE } from './runner-paths.ts'
import type { SeccompArch } from './seccomp/seccomp-program.ts'

/** Behind the four streams of a runner, the sandbox's status and its entry program. */
export const FIRST_BIND = 6
const PROGRAM_PATH = '/usr/bin:/bin'
/** Inside a user namespace; on the host it is the daemon's own uid. */
const NOBODY = '65534'

/** Tier `namespace`: bubblewrap with every namespace. Only for a machine on which `probeMachine` saw it run. */
export function planNamespace(machine: Machine, request: RunnerRequest): WallPlan {
  const asRoot = machine.uid === 0
  const { process, network } = request.policy
  // Whoever may start programs needs somebody to reap those that lost their parent. And the first process of a pid
  // namespace dies of no signal that it sends itself (pid_namespaces(7)), which is how a program ends by abort(3).
  const hasReaper = asRoot || process || request.program !== null
  const mounts = planMounts(machine, request, FIRST_BIND)
  const channel = FIRST_BIND + mounts.binds.length
  return {
    tier: 'namespace',
    file: machine.bwrapPath ?? 'bwrap',
    args: [
      ...(asRoot ? ROOT_NAMESPACES : USER_NAMESPACES),
      ...(hasReaper ? [] : ['--as-pid-1']),
      ...COMMON,
      ...mounts.args,
      ...(request.hasEgress ? WITHOUT_CHANNEL : []),
      '--json-status-fd',
      '4',
      '--',
      ENTRY_INSIDE,
      ...(request.program?.command ?? nodeCommand(request)),
    ],
    // bubblewrap sets PWD by itself.
    env: {
      ...baseEnvironment('/tmp'),
      ...(process ? { PATH: PROGRAM_PATH } : {}),
      ...request.policy.env,
      ...(request.hasEgress ? egressEnvironment() : {}),
      PWD: request.workspace,
    },
    cwd: '/',
    statusFd: 4,
    hasReaper,
    entry: {
      mounts: mounts.closing,
      rlimits: rlimitsOf(machine, request),
      identity: request.identity,
      lastCapability: machine.lastCapability,
      filter: { arch: architectureOf(machine), process, network: network.length > 0, setGroupId: asRoot },
      listener: request.hasEgress ? { port: EGRESS_PORT, channel } : null,
      gate: request.gate === null ? null : { ...request.gate, start: !process },
    },
    binds: mounts.binds,
    named: mounts.named,
    passesListener: request.hasEgress,
    pluginPath: request.pluginDir,
    mechanisms: mechanismsFor(machine, request),
  }
}

function nodeCommand(request: RunnerRequest): string[] {
  const places = {
    node: NODE_INSIDE,
    runner: RUNNER_INSIDE,
    pluginPath: request.pluginDir,
    temporary: ['/tmp'],
  }
  return runnerCommand(places, request)
}

function mechanismsFor(machine: Machine, { hasEgress, policy, program }: RunnerRequest): Mechanisms {
  const andNode = program === null ? ' + node --permission' : ''
  return {
    files: `mount namespace${machine.hasBindFd ? '' : ' (by path)'}${andNode}`,
    network: hasEgress
      ? 'network namespace with no way out but the proxy of the daemon'
      : `network namespace without a way out + seccomp${andNode}`,
    processes: policy.process
      ? 'pid namespace + RLIMIT_NPROC'
      : `pid namespace + seccomp${andNode} + RLIMIT_NPROC`,
    memory: 'RLIMIT_DATA',
    systemCalls: 'seccomp allowlist',
    uid: machine.uid === 0 ? 'a uid for each instance' : 'user namespace',
    privileges: 'no_new_privs, no capability',
    lifetime: 'parent death signal of bubblewrap + pid namespace',
  }
}

function architectureOf({ seccompArch }: Machine): SeccompArch {
  if (seccompArch === null) throw new TypeError('a machine without a filter of system calls has tier process')
  return seccompArch
}

/** What Node adds for `'ipc'` where it starts the process; a Node inside would take it for a channel of its own. */
const WITHOUT_CHANNEL = ['NODE_CHANNEL_FD', 'NODE_CHANNEL_SERIALIZATION_MODE'].flatMap((name) => [
  '--unsetenv',
  name,
])

const COMMON = [
  '--unshare-pid',
  '--unshare-net',
  '--unshare-ipc',
  '--unshare-uts',
  '--unshare-cgroup-try',
  '--hostname',
  'plugin',
  '--die-with-parent',
  '--new-session',
]

/**
 * Mounts by real root, so a project below a 0700 home can be reached; then the entry program drops the uid. With a user
 * namespace bubblewrap would map its uid to the host's root, who may write /proc/sys.
 * No `--as-pid-1`: bubblewrap's monitor keeps uid 0 but no capability, so its parent death signal may not reach a
 * process of another uid, and the sandbox would outlive the daemon (seen). It does reach bubblewrap's own pid 1,
 * which has uid 0 as well, and with pid 1 goes the whole namespace.
 */
const ROOT_NAMESPACES = [
  '--cap-drop',
  'ALL',
  '--cap-add',
  'CAP_SETUID',
  '--cap-add',
  'CAP_SETGID',
  '--cap-add',
  'CAP_SETPCAP',
  // Enters a workspace that only its owner may; the runner then starts there and is told what it can't read.
  '--cap-add',
  'CAP_DAC_READ_SEARCH',
  // For the mounts that the entry program makes, see `mountSteps`.
  '--cap-add',
  'CAP_SYS_ADMIN',
]

const USER_NAMESPACES = ['--unshare-user', '--uid', NOBODY, '--gid', NOBODY, '--cap-drop', 'ALL']
