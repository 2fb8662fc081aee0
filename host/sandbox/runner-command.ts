import type { RunnerRequest } from './plan-runner.ts'
import type { RunnerIdentity } from './identity.ts'
import type { Machine } from './machine.ts'
import { nodeFlags } from './node-flags.ts'
import { countsProcessesAlone, rlimitArguments, rlimitsOf } from './rlimits.ts'

/** Where things lie for the runner, which differs between the tiers. */
export interface RunnerPlaces {
  readonly node: string
  readonly main: string
  readonly sdk: string
  readonly pluginPath: string
  /** null where prlimit is missing, and nothing limits the runner. */
  readonly prlimit: string | null
  /** Folders for temporary files. */
  readonly temporary: readonly string[]
}

/** `prlimit … node … main.cjs`: last in every chain, so that the limits hold for nothing else. */
export function runnerCommand(machine: Machine, places: RunnerPlaces, request: RunnerRequest): string[] {
  const { policy, dataDir, validatorDir } = request
  const writePaths = [dataDir, ...places.temporary, ...policy.writePaths]
  const readPaths = [
    places.main,
    places.sdk,
    places.pluginPath,
    ...(validatorDir === null ? [] : [validatorDir]),
    ...writePaths,
    ...policy.readPaths,
  ]
  const { limits, baseDataBytes } = request
  const rlimits = rlimitsOf({ baseDataBytes, limits, limitProcesses: countsProcessesAlone(machine) })
  return [
    ...(places.prlimit === null ? [] : [places.prlimit, ...rlimitArguments(rlimits), '--']),
    places.node,
    ...nodeFlags({ readPaths, writePaths, maxMemoryMb: limits.maxMemoryMb }),
    places.main,
  ]
}

/** Arguments of `setpriv` that leave a uid and nothing else. */
export function setprivArguments(identity: RunnerIdentity): string[] {
  return [
    `--reuid=${identity.uid}`,
    `--regid=${identity.gid}`,
    '--clear-groups',
    '--no-new-privs',
    '--inh-caps=-all',
    '--bounding-set=-all',
  ]
}

/** What every runner has, below what was granted. */
export function baseEnvironment(home: string): Record<string, string> {
  return { HOME: home, LANG: 'C.UTF-8', PATH: '/nonexistent' }
}
