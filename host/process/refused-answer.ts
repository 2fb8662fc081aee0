import { PhantomError } from '../../src/contract/phantom-error.ts'
import { quoteText } from '../../src/contract/quote-text.ts'
import type { RunnerOperation } from '../../src/contract/runner-methods.ts'
import { RUNNER_PROTOCOL_VERSION } from '../../src/contract/version.ts'
import type { InstanceSpec } from './instance-spec.ts'

const MAX_SHOWN = 20
const VERSION = /^(\d{1,4})\.\d{1,4}$/
const [MAJOR] = RUNNER_PROTOCOL_VERSION.split('.')

/** Why a plugin is not taken that answered `initialize` like this; null where it is. */
export function refusedAnswer(
  { initialize, plan }: Pick<InstanceSpec, 'initialize' | 'plan'>,
  answer: unknown,
): PhantomError | null {
  const unspoken = protocolError(initialize.plugin_id, answer)
  // The runner has compared its code with the manifest.
  if (unspoken !== null || !plan.expected.isGated) return unspoken
  const { plugin_id: pluginId, operations, messages = [] } = initialize
  return (
    missingIn(answer, { pluginId, key: 'operations', declared: operations }) ??
    missingIn(answer, { pluginId, key: 'messages', declared: messages })
  )
}

/**
 * Why the daemon can't talk to a plugin that answered `initialize` like this; null where it can. A minor adds, so an
 * older one lacks nothing that is asked of it, and of a newer one nothing is asked that this daemon does not know.
 */
function protocolError(pluginId: string, answer: unknown): PhantomError | null {
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

/** The manifest is what users were shown. A plugin of before 1.2 names no messages. */
function missingIn(
  answer: unknown,
  asked: { pluginId: string; key: 'operations' | 'messages'; declared: readonly RunnerOperation[] },
): PhantomError | null {
  const { pluginId, key, declared } = asked
  const said = (answer as Partial<Record<string, unknown>>)[key]
  // As many as its line has room for: they are looked up, not searched.
  const known = new Set<unknown>(Array.isArray(said) ? said : [])
  const missing = declared.filter(({ name }) => !known.has(name))
  if (missing.length === 0) return null
  const list = missing.map(({ name }) => quoteText(name)).join(', ')
  const names = [...known].filter((name) => typeof name === 'string')
  const has = names.slice(0, MAX_SHOWN).map(quoteText).join(', ') || 'none'
  return new PhantomError(
    'PLUGIN_START_FAILED',
    `Cannot start "${pluginId}": plugin.toml declares ${key} that its program does not name in its answer to ` +
      `"initialize": ${list}. It names ${has}. Add them there, or take them out of plugin.toml`,
    { details: { plugin_id: pluginId, deterministic: true } },
  )
}

function shown(found: unknown): string {
  if (typeof found === 'string') return quoteText(found)
  return found === undefined ? 'missing' : `of type ${found === null ? 'null' : typeof found}`
}
