import type { SystemHandlers } from './client-session.ts'
import { describePermissions } from './describe-permissions.ts'
import { describeSummary } from './describe-plugin.ts'
import type { HandlerPowers } from './system-handlers.ts'

type RightsMethod = 'get_permissions' | 'approve_plugin' | 'revoke_plugin'

/** Methods that say and decide what plugins may do. */
export function createRightsHandlers({
  engine,
  rights,
  launcher,
}: HandlerPowers): Pick<SystemHandlers, RightsMethod> {
  const { registry, rightsChanges } = engine
  return {
    get_permissions: ({ plugin_id: id }, { workspace }) =>
      describePermissions(registry.get(id), { rights, launcher, workspace }),
    approve_plugin: ({ plugin_id: id, digest, permissions }, session) =>
      rightsChanges.approve(registry.get(id), {
        digest,
        ...(permissions === undefined ? {} : { granted: permissions }),
        actor: session.actor.describe(),
      }),
    revoke_plugin: async ({ plugin_id: id }, session) => {
      const record = registry.get(id)
      await rightsChanges.revoke(record, session.actor.describe())
      return describeSummary(record)
    },
  }
}
