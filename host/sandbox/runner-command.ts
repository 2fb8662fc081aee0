import type { RunnerRequest } from './plan-runner.ts'
import { nodeFlags } from './node-flags.ts'

/** Where things lie for the runner, which differs between the tiers. */
export interface RunnerPlaces {
  readonly node: string
  readonly main: string
  readonly sdk: string
  readonly pluginPath: string
  /** Folders for temporary files. */
  readonly temporary: readonly string[]
}

/** `node … main.cjs`: last in every chain, behind what takes the limits, so that they hold for nothing else. */
export function runnerCommand(places: RunnerPlaces, request: RunnerRequest): string[] {
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
  const { maxMemoryMb } = request.limits
  return [places.node, ...nodeFlags({ readPaths, writePaths, maxMemoryMb }), places.main]
}

/** What every runner has, below what was granted. */
export function baseEnvironment(home: string): Record<string, string> {
  return { HOME: home, LANG: 'C.UTF-8', PATH: '/nonexistent' }
}
