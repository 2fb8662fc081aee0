import type { Machine } from './machine.ts'
import { baseEnvironment, runnerCommand, setprivArguments } from './runner-command.ts'
import type { RunnerPlan, RunnerRequest } from './plan-runner.ts'

/** Tier `process`: no namespaces. What it can't hold a plugin to, `unenforced('process')` says. */
export function planProcess(machine: Machine, request: RunnerRequest): RunnerPlan {
  const { identity, runnerFiles, dataDir } = request
  const pluginPath = request.overlayDir ?? request.pluginDir
  const command = runnerCommand(
    machine,
    {
      node: machine.nodePath,
      main: runnerFiles.main,
      sdk: runnerFiles.sdk,
      pluginPath,
      prlimit: machine.prlimitPath,
      temporary: [],
    },
    request,
  )
  const chain =
    machine.setprivPath === null ? command : [...setprivChain(machine.setprivPath, request), ...command]
  const [file = machine.nodePath, ...args] = chain
  return {
    tier: 'process',
    file,
    args,
    env: { ...baseEnvironment(dataDir), TMPDIR: dataDir, ...request.policy.env, PWD: request.workspace },
    cwd: request.workspace,
    statusFd: null,
    filter: null,
    binds: [],
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
function setprivChain(setprivPath: string, { identity }: RunnerRequest): string[] {
  const identityArguments = identity === null ? ['--no-new-privs'] : setprivArguments(identity)
  return [setprivPath, ...identityArguments, '--pdeathsig=KILL', '--']
}
