import { PhantomError } from '../../src/contract/phantom-error.ts'
import type { Generation } from '../generations/generation.ts'
import { cpuHoldOf } from '../monitor/cpu-hold.ts'
import type { LauncherOptions } from './launcher-options.ts'

/**
 * Fails closed: where policy demands more than this machine can hold, and where nothing would hold what is no
 * JavaScript, nothing starts.
 *
 * @throws PhantomError SANDBOX_UNAVAILABLE, PLUGIN_RUNTIME_UNAVAILABLE
 */
export function requireTier(
  options: Pick<LauncherOptions, 'machine' | 'requiredTier' | 'onObserved' | 'cgroups'>,
  generation: Pick<Generation, 'id' | 'manifest' | 'limits'>,
): void {
  const { requiredTier, machine, cgroups } = options
  if (generation.manifest.type === 'native') requireWalls(options, generation.id)
  if (requiredTier === 'namespace')
    requireNamespace(options, generation.id, 'security.required_tier is "namespace"')
  const powers = { requiredTier, machine, hasCgroups: cgroups !== null }
  requireCpuHold('start', powers, generation)
}

/**
 * The one limit that a sandbox alone does not hold: who requires sandboxes wants what is declared to be so.
 *
 * @throws PhantomError SANDBOX_UNAVAILABLE
 */
export function requireCpuHold(
  verb: 'start' | 'limit',
  powers: Pick<LauncherOptions, 'machine' | 'requiredTier'> & { readonly hasCgroups: boolean },
  { id, manifest, limits: { maxCpuPercent } }: Pick<Generation, 'id' | 'manifest' | 'limits'>,
): void {
  if (powers.requiredTier !== 'namespace' || maxCpuPercent === null) return
  const hold = cpuHoldOf({ tier: powers.machine.tier, hasCgroups: powers.hasCgroups }, manifest)
  if (hold.by !== null) return
  throw new PhantomError(
    'SANDBOX_UNAVAILABLE',
    `Cannot ${verb} "${id}": security.required_tier is "namespace" and its max_cpu_percent is ${hold.problem}. ` +
      hold.remedy,
    { details: { plugin_id: id, limit: 'max_cpu_percent', declared: maxCpuPercent } },
  )
}

/** Node's permission model, which is all that tier `process` has, and all that can tell of what it lets pass. */
function requireWalls(
  { machine, onObserved }: Pick<LauncherOptions, 'machine' | 'onObserved'>,
  pluginId: string,
): void {
  requireNamespace(
    { machine, requiredTier: 'namespace' },
    pluginId,
    'a native plugin runs in tier "namespace" alone',
  )
  if (onObserved === null) return
  throw new PhantomError(
    'PLUGIN_RUNTIME_UNAVAILABLE',
    `Cannot start "${pluginId}": permissions.mode is "observe", and nothing tells what a native plugin reaches for. ` +
      'Set permissions.mode to "enforce": what it is refused, it says itself',
    { details: { plugin_id: pluginId, type: 'native', mode: 'observe' } },
  )
}

function requireNamespace(
  { machine, requiredTier }: Pick<LauncherOptions, 'machine' | 'requiredTier'>,
  pluginId: string,
  why: string,
): void {
  if (machine.tier === 'namespace') return
  throw new PhantomError(
    'SANDBOX_UNAVAILABLE',
    `Cannot start "${pluginId}": ${why} and this machine gives tier "${machine.tier}" ` +
      `(${machine.reasonNoNamespace}). Run "phantom doctor" to see what to mend`,
    { details: { required_tier: requiredTier, tier: machine.tier } },
  )
}
