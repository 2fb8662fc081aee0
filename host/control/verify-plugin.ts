import type { PluginAttestation } from '../../src/contract/attestation.ts'
import { PhantomError } from '../../src/contract/phantom-error.ts'
import { becomeReady } from '../execution/become-ready.ts'
import { describeAttestation } from '../process/describe-attestation.ts'
import type { HandlerPowers } from './system-handlers.ts'

/**
 * What holds a plugin's process in a workspace. Where none runs there, one is started as for a call.
 *
 * @throws PhantomError where the plugin can't run, QUEUE_FULL, or does not start for another reason than what holds it
 */
export async function verifyPlugin(
  { engine, launcher, configSource }: Pick<HandlerPowers, 'engine' | 'launcher' | 'configSource'>,
  asked: { readonly pluginId: string; readonly workspace: string },
): Promise<PluginAttestation> {
  const plugin = engine.registry.getRunnable(asked.pluginId, null)
  const lane = engine.executor.openLane(plugin, asked.workspace)
  const askedAt = new Date().toISOString()
  // Longer than a start may take: one that is held back by a reload or a backoff is waited for.
  const deadlineMs = performance.now() + 2 * configSource.current.config.execution.startTimeoutMs
  if (lane.instance?.state !== 'ready') await becomeReady(lane, () => performance.now() < deadlineMs)
  const { instance } = lane
  const found = instance?.state === 'ready' ? describeAttestation(instance) : launcher.refused.lastOf(lane)
  if (found !== null && (found.holds || found.at >= askedAt)) return found
  throw new PhantomError(
    'PLUGIN_START_FAILED',
    `Cannot verify "${asked.pluginId}": its process did not start. See "phantom why ${asked.pluginId}"`,
    { details: { plugin_id: asked.pluginId } },
  )
}
