/** Words for a plugin's life; the tables that move between them are pure and live in `host/supervisor/`. */

/** `discovered → validated → (blocked) → enabled`, aside `invalid`, `failed`, `quarantined`. */
export type PluginState =
  | 'discovered'
  | 'validated'
  | 'blocked'
  | 'enabled'
  | 'invalid'
  | 'failed'
  | 'quarantined'

/** One process of a plugin, for one generation and one workspace. */
export type InstanceState = 'starting' | 'ready' | 'draining' | 'stopped' | 'backoff'

/** Why a runner's process ended. */
export type ExitClass =
  | 'expected'
  | 'crash'
  | 'oom'
  | 'cpu_limit'
  | 'wall_limit'
  | 'resource_limit'
  | 'protocol'
  | 'killed_by_operator'
  | 'host_shutdown'

/**
 * What holds a plugin. `namespace`: bubblewrap, all namespaces, a uid of its own. `process`: Node's permission
 * model, rlimits and monitoring alone, because bubblewrap cannot run on this machine.
 */
export type IsolationTier = 'namespace' | 'process'

export type PluginType = 'native' | 'wasm' | 'javascript'
