import type { RunnerRequest } from './plan-runner.ts'
import { nodeFlags, OPEN_FOLDERS } from './node-flags.ts'
import { MAIN_NAME } from './runner-paths.ts'

/** Where things lie for the runner, which differs between the tiers. */
export interface RunnerPlaces {
  readonly node: string
  /** The folder with `main.cjs` and what it needs. */
  readonly runner: string
  readonly pluginPath: string
  /** Folders for temporary files. */
  readonly temporary: readonly string[]
}

/** `node … main.cjs`: last in every chain, behind what takes the limits, so that they hold for nothing else. */
export function runnerCommand(places: RunnerPlaces, request: RunnerRequest): string[] {
  const { policy, dataDir, validatorDir } = request
  // Observed, it is told of what it was granted, too: that it was used is what an observer wants to know.
  const { temporary } = places
  const granted = request.observe
    ? { readPaths: [], writePaths: [] }
    : { ...policy, writePaths: [...temporary, ...policy.writePaths] }
  const openFolders = request.isWasm ? [OPEN_FOLDERS] : []
  const writePaths = [dataDir, ...openFolders, ...granted.writePaths]
  const readPaths = [
    places.runner,
    places.pluginPath,
    ...(validatorDir === null ? [] : [validatorDir]),
    ...writePaths,
    ...granted.readPaths,
  ]
  const { hasEgress: allowNet, limits, runtime, threads } = request
  const { maxMemoryMb } = limits
  return [
    places.node,
    ...nodeFlags({
      readPaths,
      writePaths,
      maxMemoryMb,
      allowNet,
      process: policy.process,
      runtime,
      isWasm: request.isWasm,
      threads,
      observe: request.observe,
    }),
    `${places.runner}/${MAIN_NAME}`,
  ]
}

/** In a network namespace of its own every port is free. */
export const EGRESS_PORT = 3128
const PROXY = `http://127.0.0.1:${EGRESS_PORT}`

/**
 * Makes `fetch`, `node:http`, `node:https` and whatever honours `HTTP_PROXY` go through the daemon's proxy, which
 * listens at that place of the sandbox. What does not ask for a proxy has no way out.
 */
export function egressEnvironment(): Record<string, string> {
  return {
    HTTP_PROXY: PROXY,
    HTTPS_PROXY: PROXY,
    NO_PROXY: '',
    http_proxy: PROXY,
    https_proxy: PROXY,
    no_proxy: '',
    NODE_USE_ENV_PROXY: '1',
  }
}

/** What every runner has, below what was granted. */
export function baseEnvironment(home: string): Record<string, string> {
  return { HOME: home, LANG: 'C.UTF-8', PATH: '/nonexistent' }
}
