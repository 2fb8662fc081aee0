import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { ManifestLimits } from '../../src/contract/manifest.ts'
import { messageOf } from '../../src/contract/phantom-error.ts'
import type { Machine } from '../sandbox/machine.ts'
import { rlimitArguments, rlimitsOf } from '../sandbox/rlimits.ts'
import type { RunnerInstance } from './runner-instance.ts'

const run = promisify(execFile)
const PATIENCE_MS = 5_000

/**
 * Gives a running process other limits of the kernel's. The kernel lets the daemon where the process has its own uid,
 * or the daemon CAP_SYS_RESOURCE (prlimit(2)); a control group is the daemon's own.
 *
 * @returns why its rlimits stay as they are until its next start; null where they do not
 */
export async function applyLimits(
  instance: RunnerInstance,
  { limits, machine }: { limits: ManifestLimits; machine: Machine },
): Promise<string | null> {
  const { pid, spec } = instance
  try {
    spec.cgroup?.limit(limits)
  } catch (error) {
    // Its group may have gone with the process, and then so may its limits.
    return messageOf(error)
  }
  instance.figures.throttle?.follow()
  if (pid === null) return 'it is not ready yet'
  if (machine.prlimitPath === null) return 'prlimit is not installed'
  const rlimits = rlimitArguments(rlimitsOf(machine, { baseDataBytes: spec.baseDataBytes, limits }))
  try {
    await run(machine.prlimitPath, [`--pid=${pid}`, ...rlimits], { timeout: PATIENCE_MS, env: {} })
    return null
  } catch (error) {
    const said = (error as { stderr?: string }).stderr?.trim() ?? ''
    return said === '' ? messageOf(error) : said
  }
}
