import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { PhantomError } from '../../src/contract/phantom-error.ts'
import { MAIN_NAME } from '../sandbox/runner-paths.ts'

/** The folder that holds our package.json; from `host/process/` in the sources, from `dist/host/` when built. */
export function packageDirectory(): string {
  const here = dirname(fileURLToPath(import.meta.url))
  return join(here, '../..')
}

const isCheckout = import.meta.url.endsWith('.ts')

/**
 * Where the runner's bundle lies, `main.cjs` with what it needs: all that the host knows of it beside the contract. In the checkout it is rebuilt first when its sources are newer.
 *
 * @throws PhantomError PLUGIN_START_FAILED when there is none
 */
export function runnerDirectory(): string {
  const root = packageDirectory()
  if (isCheckout) rebuildIfStale(root)
  const directory = join(root, 'dist/sandbox-runner')
  const main = join(directory, MAIN_NAME)
  if (existsSync(main)) return directory
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
