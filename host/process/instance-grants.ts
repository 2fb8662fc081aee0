import type { RunnerGrants } from '../../src/contract/runner-methods.ts'
import type { RunnerPlan } from '../sandbox/plan-runner.ts'
import type { Policy } from '../sandbox/policy.ts'

/** What its process was given, for a runtime that keeps the plugin to it by itself; the sandbox does so in any case. */
export function grantsOf(
  policy: Policy,
  { plan, dataDir }: { plan: Pick<RunnerPlan, 'pluginPath' | 'tier'>; dataDir: string },
): RunnerGrants {
  const temporary = plan.tier === 'namespace' ? ['/tmp'] : []
  return {
    read: [plan.pluginPath, ...policy.readPaths],
    write: [dataDir, ...temporary, ...policy.writePaths],
    env: Object.keys(policy.env),
  }
}
