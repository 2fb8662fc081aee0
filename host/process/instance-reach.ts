import type { Generation } from '../generations/generation.ts'
import type { RunnerPlan } from '../sandbox/plan-runner.ts'
import type { Policy } from '../sandbox/policy.ts'
import type { InstanceSpec } from './instance-spec.ts'

/** What a process was given, in the words that its denials are told in. */
export function reachOf(
  { id, directory, manifest, runtime, notHeld }: Generation,
  workspace: string,
  { policy, dataDir, tier }: { policy: Policy; dataDir: string; tier: RunnerPlan['tier'] },
): InstanceSpec['reach'] {
  return {
    pluginId: id,
    workspace,
    pluginDir: directory,
    dataDir,
    readPaths: [...policy.readPaths, directory],
    writePaths: [...policy.writePaths, dataDir],
    grantedWritePaths: policy.writePaths,
    closedToReaders: policy.hide,
    closedToWriters: [...policy.hide, ...policy.protect],
    privateFolders: tier === 'namespace' ? ['/tmp'] : [],
    network: policy.network,
    process: policy.process,
    runtime: { ...runtime },
    declared: manifest.permissions,
    notHeld,
    permissions: policy.permissions,
  }
}
