import type { PluginHealth } from '../../src/contract/health.ts'
import type { SocketRole } from '../../src/contract/method-roles.ts'
import type { SystemHandlers } from './client-session.ts'
import { describeLearned } from './describe-learned.ts'
import type { HandlerPowers } from './system-handlers.ts'

type HealthMethod =
  | 'get_plugin_health'
  | 'get_metrics'
  | 'get_execution_history'
  | 'get_incidents'
  | 'get_learned_permissions'

const DEFAULT_HISTORY_ENTRIES = 100
const DEFAULT_INCIDENTS = 20
const WORDS_WITHHELD = "its words are the operators' to read"

/** Methods that say how plugins are and what they did. */
export function createHealthHandlers(powers: HandlerPowers): Pick<SystemHandlers, HealthMethod> {
  const { observer, history, store } = powers
  const { registry } = powers.engine
  return {
    get_plugin_health: async ({ plugin_id: id, interval_ms: intervalMs }, session, requestId) => {
      const plugin = registry.get(id)
      // Before the first answer is made: a cancel may come ahead of it.
      if (intervalMs !== undefined) {
        session.follow(requestId, 'health', (tell) =>
          every(intervalMs, async () => {
            const record = registry.find(id)
            if (record !== null) tell(forRole(await observer.health(record), session.role))
          }),
        )
      }
      return forRole(await observer.health(plugin), session.role)
    },
    get_metrics: ({ interval_ms: intervalMs }, session, requestId) => {
      if (intervalMs !== undefined) {
        session.follow(requestId, 'metrics', (tell) =>
          every(intervalMs, () => tell(observer.metrics(registry.records))),
        )
      }
      return observer.metrics(registry.records)
    },
    get_execution_history: ({ plugin_id: pluginId, outcome, limit, before }, session) => {
      const entries = history.query({
        ...(pluginId === undefined ? {} : { pluginId }),
        ...(outcome === undefined ? {} : { outcome }),
        ...(before === undefined ? {} : { before }),
        // What others called, on which workspaces, is the operators'.
        connection: session.role === 'operator' ? null : session.connectionId,
        limit: limit ?? DEFAULT_HISTORY_ENTRIES,
      })
      // One that is gone may have a past; one that has none was never there.
      const isWhole = pluginId !== undefined && outcome === undefined && before === undefined
      if (isWhole && entries.length === 0) registry.get(pluginId)
      return { entries }
    },
    get_incidents: ({ plugin_id: id, limit = DEFAULT_INCIDENTS }) => {
      const incidents = store.incidents(id, limit)
      if (incidents.length === 0) registry.get(id)
      return { incidents }
    },
    get_learned_permissions: ({ plugin_id: id }) => describeLearned(powers, registry.get(id)),
  }
}

/** In the words of the last error may stand what another application sent. */
function forRole(health: PluginHealth, role: SocketRole): PluginHealth {
  const { last_error: error } = health
  if (role === 'operator' || error === null) return health
  return { ...health, last_error: { ...error, message: WORDS_WITHHELD } }
}

/** The next one waits for the one before; the answer stops it. */
function every(intervalMs: number, work: () => unknown): () => void {
  let isBusy = false
  const timer = setInterval(() => {
    if (isBusy) return
    isBusy = true
    void (async () => await work())().then(
      () => (isBusy = false),
      // What fails once may succeed the next time; the follower sees that nothing comes.
      () => (isBusy = false),
    )
  }, intervalMs)
  timer.unref()
  return () => clearInterval(timer)
}
