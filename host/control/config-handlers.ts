import { explainConfig } from '../config/explain-config.ts'
import type { SystemHandlers } from './client-session.ts'
import type { HandlerPowers } from './system-handlers.ts'

type ConfigMethod =
  | 'get_plugin_config'
  | 'update_plugin_config'
  | 'validate_plugin_config'
  | 'get_plugin_config_history'
  | 'rollback_plugin_config'
  | 'explain_config'
  | 'reload_config'

/** Methods for plugins' configurations and the daemon's own. */
export function createConfigHandlers(powers: HandlerPowers): Pick<SystemHandlers, ConfigMethod> {
  const { configSource, policy } = powers
  const { registry, configurer, configs } = powers.engine
  return {
    get_plugin_config: ({ plugin_id: id }) => configurer.describe(registry.get(id)),
    update_plugin_config: ({
      plugin_id: id,
      updates,
      expected_revision: expectedRevision,
      dry_run: dryRun,
    }) =>
      configurer.update(registry.get(id), updates, {
        ...(expectedRevision === undefined ? {} : { expectedRevision }),
        ...(dryRun === undefined ? {} : { dryRun }),
      }),
    validate_plugin_config: ({ plugin_id: id, config }) => configurer.validate(registry.get(id), config),
    get_plugin_config_history: async ({ plugin_id: id }) => ({
      revisions: await configs.store.history(registry.get(id).id),
    }),
    rollback_plugin_config: ({ plugin_id: id, revision }) => configurer.rollBack(registry.get(id), revision),
    explain_config: () => ({ values: explainConfig(configSource.current) }),
    reload_config: () => {
      policy.reload()
      return configSource.reload().result
    },
  }
}
