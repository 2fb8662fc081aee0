import { PhantomError } from '../../src/contract/phantom-error.ts'
import type { LauncherOptions } from './launcher-options.ts'

/**
 * Fails closed: where policy demands more than this machine can hold, nothing starts.
 *
 * @throws PhantomError SANDBOX_UNAVAILABLE
 */
export function requireTier(
  { machine, requiredTier }: Pick<LauncherOptions, 'machine' | 'requiredTier'>,
  pluginId: string,
): void {
  if (requiredTier === 'process' || machine.tier === 'namespace') return
  throw new PhantomError(
    'SANDBOX_UNAVAILABLE',
    `Cannot start "${pluginId}": security.required_tier is "namespace" and this machine gives tier "${machine.tier}" ` +
      `(${machine.reasonNoNamespace}). Run "phantom doctor" to see what to mend`,
    { details: { required_tier: requiredTier, tier: machine.tier } },
  )
}
