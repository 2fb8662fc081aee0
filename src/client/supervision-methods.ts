import type { ReloadResult } from '../contract/generations.ts'
import type { PluginSummary } from '../contract/plugin-info.ts'
import { ObservationMethods } from './observation-methods.ts'

export interface ReloadOptions {
  /** Takes a manifest that asks for more rights than the generation before; without it such a one is rejected. */
  accept_permissions?: boolean
}

/** What changes which code of a plugin runs, and whether it does. */
export abstract class SupervisionMethods extends ObservationMethods {
  /**
   * Reads a plugin's files anew and starts them as a new generation beside the old one. Resolves when the new one
   * serves; until then, and when it fails at a gate, the old one goes on.
   *
   * @throws PhantomError PLUGIN_NOT_FOUND, GENERATION_REJECTED (`details.gate` says where), DEPENDENCY_UNAVAILABLE
   */
  reload_plugin(id: string, options: ReloadOptions = {}): Promise<ReloadResult> {
    return this.request('reload_plugin', { plugin_id: id, ...options })
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
}
