import type { RunnerIdentity } from './identity.ts'
import type { Machine } from './machine.ts'
import type { RunnerRequest, WallPlan } from './plan-runner.ts'
import { rlimitArguments, rlimitsOf } from './rlimits.ts'
import { baseEnvironment, runnerCommand } from './runner-command.ts'

/** Tier `process`: no namespaces. What it can't hold a plugin to, `unenforced('process')` says. */
export function planProcess(machine: Machine, request: RunnerRequest): WallPlan {
  const { identity, runnerDirectory, dataDir } = request
  const pluginPath = request.overlayDir ?? request.pluginDir
  const command = runnerCommand(
    { node: machine.nodePath, runner: runnerDirectory, pluginPath, temporary: [] },
    request,
  )
  const chain = [...setprivChain(machine, request), ...prlimitChain(machine, request), ...command]
  const [file = machine.nodePath, ...args] = chain
  return {
    tier: 'process',
    file,
    args,
    env: { ...baseEnvironment(dataDir), TMPDIR: dataDir, ...request.policy.env, PWD: request.workspace },
    cwd: request.workspace,
    statusFd: null,
    hasReaper: false,
    entry: null,
    binds: [],
    named: [],
    passesListener: false,
    pluginPath,
    mechanisms: {
      files: 'node --permission',
      network: 'node --permission',
      processes: 'node --permission',
      memory: machine.prlimitPath === null ? null : 'RLIMIT_DATA',
      systemCalls: null,
      uid: identity === null ? null : 'setpriv (a uid for each instance)',
      privileges: machine.setprivPath === null ? null : 'no_new_privs',
      lifetime:
        machine.setprivPath === null ? 'end of file on fd 3' : 'parent death signal + end of file on fd 3',
    },
  }
}

/** The signal is set after the uid: the kernel clears it when a process changes its uid. */
function setprivChain({ setprivPath }: Machine, { identity }: RunnerRequest): string[] {
  if (setprivPath === null) return []
  const identityArguments = identity === null ? ['--no-new-privs'] : setprivArguments(identity)
  return [setprivPath, ...identityArguments, '--pdeathsig=KILL', '--']
}

/** Arguments of `setpriv` that leave a uid and nothing else. */
function setprivArguments(identity: RunnerIdentity): string[] {
  return [
    `--reuid=${identity.uid}`,
    `--regid=${identity.gid}`,
    '--clear-groups',
    '--no-new-privs',
    '--inh-caps=-all',
    '--bounding-set=-all',
  ]
}

/** Where prlimit is missing nothing limits the runner, and `mechanisms` says so. */
function prlimitChain(machine: Machine, request: RunnerRequest): string[] {
  if (machine.prlimitPath === null) return []
  const rlimits = rlimitsOf(machine, request)
  return [machine.prlimitPath, ...rlimitArguments(rlimits), '--']
}
