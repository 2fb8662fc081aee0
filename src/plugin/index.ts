export type { FromSchema, JsonSchema } from '../contract/json-schema.ts'
export { definePlugin } from './define-plugin.ts'
export type {
  ExecutionContext,
  InitializeContext,
  Parallel,
  ParallelOptions,
  ParallelTask,
  PluginContext,
  PluginLog,
} from './plugin-context.ts'
export type { OperationDefinition, OperationHandler, PluginDefinition } from './plugin-definition.ts'
