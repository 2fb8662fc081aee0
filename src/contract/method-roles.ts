import type { SystemMethod } from './system-methods.ts'

/** Who is at the other end of a socket, by the socket that it could open. */
export type SocketRole = 'application' | 'operator'

/**
 * Who may call what. Applications run plugins and see how those are; whatever changes something for others, shows
 * what others gave (configurations, logs) or lets the daemon read files for its caller is the operators'. Operators may
 * call everything.
 */
export const METHOD_ROLES = {
  handshake: 'application',
  list_plugins: 'application',
  get_plugin_info: 'application',
  execute_plugin: 'application',
  send_plugin_message: 'application',
  /** On the application socket only what the same connection asked for. */
  cancel: 'application',
  get_status: 'application',
  get_plugin_health: 'application',
  get_metrics: 'application',
  /** On the application socket only calls of the same connection. */
  get_execution_history: 'application',
  shutdown: 'application',
  get_plugin_logs: 'operator',
  get_incidents: 'operator',
  /** It names paths of the host and variables. */
  verify_plugin: 'operator',
  get_generations: 'operator',
  reload_plugin: 'operator',
  rollback_plugin: 'operator',
  load_plugin: 'operator',
  unload_plugin: 'operator',
  reset_plugin: 'operator',
  set_plugin_limits: 'operator',
  /** It tells of files that are there or not. */
  get_learned_permissions: 'operator',
  /** Who approved what, and when. */
  get_permissions: 'operator',
  approve_plugin: 'operator',
  revoke_plugin: 'operator',
  get_plugin_config: 'operator',
  update_plugin_config: 'operator',
  validate_plugin_config: 'operator',
  get_plugin_config_history: 'operator',
  rollback_plugin_config: 'operator',
  explain_config: 'operator',
  reload_config: 'operator',
  /** It reads a folder of the caller's choice with the daemon's rights. */
  validate_plugin: 'operator',
  /** It starts programs to see what works. */
  get_doctor_report: 'operator',
  get_audit_log: 'operator',
  verify_audit_log: 'operator',
} as const satisfies Record<SystemMethod, SocketRole>

/** Operators' methods that change nothing. */
const READS: ReadonlySet<SystemMethod> = new Set<SystemMethod>([
  'get_plugin_logs',
  'get_incidents',
  'verify_plugin',
  'get_generations',
  'get_permissions',
  'get_learned_permissions',
  'get_plugin_config',
  'validate_plugin_config',
  'get_plugin_config_history',
  'explain_config',
  'validate_plugin',
  'get_doctor_report',
  'get_audit_log',
  'verify_audit_log',
])

/** Whether a call of it goes to the audit log. Semantics: what is not known to change nothing is an act. */
export function isAdministrativeAct(method: SystemMethod): boolean {
  return METHOD_ROLES[method] === 'operator' && !READS.has(method)
}
