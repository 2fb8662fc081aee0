/** The public surface of `@phantom-ml/core`: named exports only, pinned by a test. */
export { connect, create_plugin_system, type PluginSystemOptions } from './client/create-plugin-system.ts'
export {
  create_sample_plugin_config,
  type SampleEnvironments,
  type SamplePluginConfig,
} from './client/sample-plugin-config.ts'
export { PluginSystemApi, type ExecuteOptions } from './client/plugin-system-api.ts'
export type { FollowOptions } from './client/attached-system.ts'
export type { PluginConfigChanges, UpdateConfigOptions } from './client/configuration-methods.ts'
export type { AuditOptions, HistoryOptions, LogOptions } from './client/observation-methods.ts'
export type {
  AuditActor,
  AuditOutcome,
  AuditProblem,
  AuditRecord,
  AuditVerification,
} from './contract/audit.ts'
export { isPhantomError, PhantomError, type ErrorDetails } from './contract/phantom-error.ts'
export { ERROR_CODES, type ErrorCode } from './contract/error-codes.ts'
export type { MessageOrigin, SentMessage } from './contract/messages.ts'
export type {
  ExecutionMetadata,
  ExecutionProgress,
  LogLevel,
  PluginExecutionResult,
  PluginLogLine,
} from './contract/execution.ts'
export type {
  Gate,
  GenerationCause,
  GenerationInfo,
  GenerationState,
  Incident,
  IncidentKind,
  ReloadResult,
} from './contract/generations.ts'
export type {
  BreakerInfo,
  BreakerState,
  CallFigures,
  HealthStatus,
  HistoryEntry,
  OperationFigures,
  PluginHealth,
  PluginMetrics,
  Priority,
  QueueFigures,
  SystemMetrics,
  TimeFigures,
} from './contract/health.ts'
export type {
  ConfigReload,
  ConfigValue,
  PluginConfigFile,
  PluginConfigInfo,
  PluginConfigRevision,
  PluginConfigUpdate,
  PluginConfigValidation,
} from './contract/plugin-config.ts'
export type { ExitClass, InstanceState, IsolationTier, PluginState, PluginType } from './contract/life.ts'
export type {
  ExitInfo,
  InstanceInfo,
  LimitInfo,
  ManifestIssue,
  MessageInfo,
  OperationInfo,
  PermissionInfo,
  PluginInfo,
  PluginSummary,
} from './contract/plugin-info.ts'
export type { DoctorCheck, DoctorReport } from './contract/doctor-report.ts'
export type { DaemonStatus, PluginValidation } from './contract/system-methods.ts'
