import { PhantomError } from '../../src/contract/phantom-error.ts'
import type { PermissionMode } from '../../src/contract/learned-permissions.ts'
import type { Machine } from '../sandbox/machine.ts'

const ENVIRONMENT = 'development'

/**
 * Fails closed: observing takes the inner layer away, so it is for developers alone, and behind the outer one.
 *
 * @throws PhantomError CONFIG_INVALID, SANDBOX_UNAVAILABLE
 */
export function assertMayObserve(
  mode: PermissionMode,
  environment: string,
  machine: Pick<Machine, 'tier' | 'reasonNoNamespace'>,
): void {
  if (mode !== 'observe') return
  if (environment !== ENVIRONMENT) {
    throw new PhantomError(
      'CONFIG_INVALID',
      `Cannot use permissions.mode "observe" in the environment "${environment}": it lets plugins reach for what they ` +
        `were not granted, and only "${ENVIRONMENT}" may do that. Set permissions.mode to "enforce"`,
      { details: { environment, mode } },
    )
  }
  if (machine.tier === 'namespace') return
  throw new PhantomError(
    'SANDBOX_UNAVAILABLE',
    `Cannot observe plugins: this machine gives tier "${machine.tier}" (${machine.reasonNoNamespace}), where Node's ` +
      'permission model alone holds a plugin, and observing switches that off. Run "phantom doctor" to see what to mend',
    { details: { tier: machine.tier } },
  )
}
