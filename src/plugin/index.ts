export type { FromSchema, JsonSchema } from '../contract/json-schema.ts'
export { definePlugin } from './define-plugin.ts'
export type {
  ExecutionContext,
  InitializeContext,
  MessageContext,
  Parallel,
  ParallelOptions,
  ParallelTask,
  PluginContext,
  PluginLog,
  SendMessage,
} from './plugin-context.ts'
export type { MessageOrigin, SentMessage } from '../contract/messages.ts'
export type {
  MessageHandler,
  OperationDefinition,
  OperationHandler,
  PluginDefinition,
} from './plugin-definition.ts'
