import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { PhantomError } from '../../src/contract/phantom-error.ts'

/** The files that a runner starts from; the host knows the runner by these paths and the contract alone. */
export interface RunnerFiles {
  readonly main: string
  readonly sdk: string
}

/** The folder that holds our package.json; from `host/process/` in the sources, from `dist/host/` when built. */
export function packageDirectory(): string {
  const here = dirname(fileURLToPath(import.meta.url))
  return join(here, '../..')
}

const isCheckout = import.meta.url.endsWith('.ts')

/**
 * Where the runner's bundle lies. In the checkout it is rebuilt first when its sources are newer.
 *
 * @throws PhantomError PLUGIN_START_FAILED when there is none
 */
export function runnerFiles(): RunnerFiles {
  const root = packageDirectory()
  if (isCheckout) rebuildIfStale(root)
  const main = join(root, 'dist/sandbox-runner/main.cjs')
  const sdk = join(root, 'dist/sandbox-runner/sdk.mjs')
  if (existsSync(main) && existsSync(sdk)) return { main, sdk }
  throw new PhantomError(
    'PLUGIN_START_FAILED',
    `Cannot find the runner "${main}": build it with "npm run build"`,
  )
}

function rebuildIfStale(root: string): void {
  const built = spawnSync(process.execPath, [join(root, '.scripts/build.mjs'), '--runner-if-stale'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  if (built.status === 0) return
  throw new PhantomError(
    'PLUGIN_START_FAILED',
    `Cannot build the runner: ${(built.stderr || built.stdout).trim()}`,
  )
}
