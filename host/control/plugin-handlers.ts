import { unloadedError } from '../registry/plugin-registry.ts'
import type { SystemHandlers } from './client-session.ts'
import { setLimits } from './limits-handler.ts'
import { describeSummary } from './describe-plugin.ts'
import type { HandlerPowers } from './system-handlers.ts'

type PluginMethod =
  | 'get_generations'
  | 'reload_plugin'
  | 'rollback_plugin'
  | 'load_plugin'
  | 'unload_plugin'
  | 'reset_plugin'
  | 'set_plugin_limits'

/** Methods that change which plugins there are and which generation of each serves. */
export function createPluginHandlers(powers: HandlerPowers): Pick<SystemHandlers, PluginMethod> {
  const { engine } = powers
  const { registry, reloader } = engine
  return {
    get_generations: ({ plugin_id: id }) => ({ generations: reloader.list(registry.get(id)) }),
    reload_plugin: ({ plugin_id: id }) => reloader.reload(registry.get(id), 'call'),
    rollback_plugin: ({ plugin_id: id, generation }) => reloader.rollBack(registry.get(id), generation),
    load_plugin: async ({ plugin_id: id }) => {
      const known = registry.find(id)
      if (known !== null) return describeSummary(known)
      const added = await registry.loadNew(id)
      for (const record of added) await engine.loaded(record)
      return describeSummary(registry.get(id))
    },
    unload_plugin: async ({ plugin_id: id }) => {
      const record = registry.get(id)
      registry.remove(record, true)
      await engine.retire(record, unloadedError(id))
      return { unloaded: true }
    },
    set_plugin_limits: ({ plugin_id: id, limits }) => setLimits(powers, registry.get(id), limits),
    reset_plugin: ({ plugin_id: id }) => {
      const record = registry.get(id)
      engine.reset(record)
      return describeSummary(record)
    },
  }
}
