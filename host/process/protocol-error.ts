import { PhantomError } from '../../src/contract/phantom-error.ts'
import { quoteText } from '../../src/contract/quote-text.ts'
import { RUNNER_PROTOCOL_VERSION } from '../../src/contract/version.ts'

const VERSION = /^(\d{1,4})\.\d{1,4}$/
const [MAJOR] = RUNNER_PROTOCOL_VERSION.split('.')

/**
 * Why the daemon can't talk to a plugin that answered `initialize` like this; null where it can. A minor adds, so an
 * older one lacks nothing that is asked of it, and of a newer one nothing is asked that this daemon does not know.
 */
export function protocolError(pluginId: string, answer: unknown): PhantomError | null {
  const found: unknown = (answer as { protocol_version?: unknown } | null)?.protocol_version
  const major = typeof found === 'string' ? (VERSION.exec(found)?.[1] ?? null) : null
  if (major === MAJOR) return null
  const isNewer = major !== null && Number(major) > Number(MAJOR)
  const what =
    major === null
      ? `it answered "initialize" with the protocol version ${shown(found)}, expected a text like "${RUNNER_PROTOCOL_VERSION}"`
      : `it speaks protocol ${shown(found)}, this daemon ${RUNNER_PROTOCOL_VERSION}`
  const remedy = isNewer
    ? 'Install a newer @phantom-ml/core, or an older version of the plugin'
    : `Write it for protocol ${RUNNER_PROTOCOL_VERSION} (docs/runner-protocol.md)`
  return new PhantomError('PLUGIN_START_FAILED', `Cannot start "${pluginId}": ${what}. ${remedy}`, {
    details: {
      plugin_id: pluginId,
      deterministic: true,
      found: typeof found === 'string' ? found.slice(0, 80) : null,
      supported: RUNNER_PROTOCOL_VERSION,
    },
  })
}

function shown(found: unknown): string {
  if (typeof found === 'string') return quoteText(found)
  return found === undefined ? 'missing' : `of type ${found === null ? 'null' : typeof found}`
}
