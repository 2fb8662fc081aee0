import type { AttestationItem } from '../../../src/contract/attestation.ts'
import { PhantomError } from '../../../src/contract/phantom-error.ts'

/** What a start is refused with; null where nothing differs. The plugin has no part in it: none of its code has run. */
export function attestationError(
  pluginId: string,
  differences: readonly AttestationItem[],
): PhantomError | null {
  if (differences.length === 0) return null
  const words = differences.map(
    ({ name, declared, effective }) => `${name} is "${effective}", declared was "${declared}"`,
  )
  return new PhantomError(
    'SANDBOX_UNAVAILABLE',
    `Cannot start "${pluginId}": its sandbox is not what was declared: ${words.join('; ')}. ` +
      'None of its code has run. Run "phantom doctor", and look at what stands in for bubblewrap, setpriv and prlimit here',
    {
      details: {
        plugin_id: pluginId,
        differences: differences.map(({ name, declared, effective }) => ({ name, declared, effective })),
      },
    },
  )
}
