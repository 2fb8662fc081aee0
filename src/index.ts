/** The public surface of `@phantom-ml/core`: named exports only, pinned by a test. */
export { connect, create_plugin_system, type PluginSystemOptions } from './client/create-plugin-system.ts'
export { PluginSystemApi, type ExecuteOptions, type LogOptions } from './client/plugin-system-api.ts'
export { isPhantomError, PhantomError, type ErrorDetails } from './contract/phantom-error.ts'
export { ERROR_CODES, type ErrorCode } from './contract/error-codes.ts'
export type {
  ExecutionMetadata,
  ExecutionProgress,
  LogLevel,
  PluginExecutionResult,
  PluginLogLine,
} from './contract/execution.ts'
export type { ExitClass, InstanceState, IsolationTier, PluginState, PluginType } from './contract/life.ts'
export type {
  ExitInfo,
  InstanceInfo,
  LimitInfo,
  ManifestIssue,
  OperationInfo,
  PermissionInfo,
  PluginInfo,
  PluginSummary,
} from './contract/plugin-info.ts'
export type { DaemonStatus, DoctorCheck, DoctorReport, PluginValidation } from './contract/system-methods.ts'
