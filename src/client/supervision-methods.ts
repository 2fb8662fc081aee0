import type { ReloadResult } from '../contract/generations.ts'
import type { ApprovalResult, PluginPermissions } from '../contract/permissions-info.ts'
import type { PluginLimits, PluginSummary } from '../contract/plugin-info.ts'
import { ObservationMethods } from './observation-methods.ts'

/** What changes which code of a plugin runs, and whether it does. */
export abstract class SupervisionMethods extends ObservationMethods {
  /**
   * Reads a plugin's files anew and starts them as a new generation beside the old one. Resolves when the new one
   * serves; until then, and when it fails at a gate, the old one goes on.
   *
   * @throws PhantomError PLUGIN_NOT_FOUND, GENERATION_REJECTED (`details.gate` says where), DEPENDENCY_UNAVAILABLE
   */
  reload_plugin(id: string): Promise<ReloadResult> {
    return this.request('reload_plugin', { plugin_id: id })
  }

  /**
   * What a plugin asks for, with risk and meaning, what of it is approved and held, and by which mechanism.
   *
   * @throws PhantomError PLUGIN_NOT_FOUND, MANIFEST_INVALID
   */
  get_permissions(id: string): Promise<PluginPermissions> {
    return this.request('get_permissions', { plugin_id: id })
  }

  /**
   * Approves what a plugin asks for, or a part of it, and lets the plugin run with that.
   *
   * @param digest of what is asked, as `get_permissions` says it: what is asked meanwhile is not approved with it
   * @param permissions rights in their one spelling, each part of one that is asked; all of them unless given
   * @throws PhantomError PLUGIN_NOT_FOUND, APPROVAL_OUTDATED, PARAMS_INVALID
   */
  approve_plugin(id: string, digest: string, permissions?: string[]): Promise<ApprovalResult> {
    const params = { plugin_id: id, digest, ...(permissions === undefined ? {} : { permissions }) }
    return this.request('approve_plugin', params)
  }

  /**
   * Takes the approval back: the plugin's processes end, and it is `blocked` until it is approved again.
   *
   * @throws PhantomError PLUGIN_NOT_FOUND
   */
  revoke_plugin(id: string): Promise<PluginSummary> {
    return this.request('revoke_plugin', { plugin_id: id })
  }

  /**
   * Brings an earlier generation back, through the same gates: the one that served before, or the one named.
   *
   * @throws PhantomError PLUGIN_NOT_FOUND, GENERATION_NOT_FOUND, GENERATION_REJECTED
   */
  rollback_plugin(id: string, generation?: number): Promise<ReloadResult> {
    const params = { plugin_id: id, ...(generation === undefined ? {} : { generation }) }
    return this.request('rollback_plugin', params)
  }

  /**
   * Loads a plugin of the plugin directory that is not loaded: one that is new, or was unloaded.
   *
   * @throws PhantomError PLUGIN_NOT_FOUND, MANIFEST_INVALID
   */
  load_plugin(id: string): Promise<PluginSummary> {
    return this.request('load_plugin', { plugin_id: id })
  }

  /**
   * Ends a plugin's processes after their calls and forgets it until it is loaded again. False when it was not
   * loaded.
   *
   * @throws PhantomError PLUGIN_NOT_FOUND
   */
  async unload_plugin(id: string): Promise<boolean> {
    return (await this.request('unload_plugin', { plugin_id: id })).unloaded
  }

  /**
   * Leads a plugin out of `failed`: its restarts are counted anew, its breakers close.
   *
   * @throws PhantomError PLUGIN_NOT_FOUND
   */
  reset_plugin(id: string): Promise<PluginSummary> {
    return this.request('reset_plugin', { plugin_id: id })
  }

  /**
   * Narrows limits of a plugin while it runs, by the names of its manifest; without any it only tells.
   *
   * @throws PhantomError PLUGIN_NOT_FOUND, PARAMS_INVALID (a limit that is none, or wider than the manifest's)
   */
  set_plugin_limits(id: string, limits: Readonly<Record<string, number>> = {}): Promise<PluginLimits> {
    return this.request('set_plugin_limits', { plugin_id: id, limits: { ...limits } })
  }
}
