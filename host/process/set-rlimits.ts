import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { messageOf } from '../../src/contract/phantom-error.ts'
import { differingLimits } from '../sandbox/attest/compare-limits.ts'
import type { Rlimits } from '../sandbox/rlimits.ts'

const run = promisify(execFile)
const PATIENCE_MS = 5_000

/**
 * Gives a running process other limits of the kernel's, those that differ and each for itself: where one may not be
 * raised again, another can be lowered all the same.
 *
 * @returns why a limit stays as it is, by its name
 */
export async function setRlimits(
  prlimitPath: string,
  pid: number,
  wanted: Rlimits,
): Promise<ReadonlyMap<keyof Rlimits, string>> {
  const problems = new Map<keyof Rlimits, string>()
  for (const name of differingLimits(pid, wanted)) {
    try {
      await run(prlimitPath, [`--pid=${pid}`, `--${name}=${wanted[name]}`], { timeout: PATIENCE_MS, env: {} })
    } catch (error) {
      const said = (error as { stderr?: string }).stderr?.trim() ?? ''
      problems.set(name, said === '' ? messageOf(error) : said)
    }
  }
  return problems
}
