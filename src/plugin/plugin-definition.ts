import type { FromSchema } from '../contract/json-schema.ts'
import type { ExecutionContext, InitializeContext, MessageContext } from './plugin-context.ts'

/**
 * Runs an operation. What it returns, or what its promise resolves with, must be JSON; undefined stands for null.
 * Compared bivariantly, so that an author may annotate the input with a type of their own.
 */
export type OperationHandler<Input = unknown> = {
  handle(input: Input, context: ExecutionContext): unknown
}['handle']

/** Takes a message. What it returns nobody sees; what it throws stands in the plugin's log. */
export type MessageHandler = {
  handle(payload: unknown, context: MessageContext): unknown
}['handle']

/** An operation with the JSON Schema of its input; the schema must equal the one in plugin.toml. */
export interface OperationDefinition<Schema = unknown> {
  /** Write it before `execute`: TypeScript reads the input's type from it, from top to bottom. */
  input_schema?: Schema
  execute: OperationHandler<FromSchema<Schema>>
}

/** What a plugin module exports as its default. Absent hooks do nothing. */
export interface PluginDefinition<Schemas = Record<string, unknown>> {
  operations: { [Name in keyof Schemas]: OperationHandler | OperationDefinition<Schemas[Name]> }
  /** By type; those alone that `[[messages]]` of plugin.toml declares ever come. */
  messages?: Readonly<Record<string, MessageHandler>>
  /** Runs once, before the first call. A throw fails the start. */
  initialize?(context: InitializeContext): unknown
  /** Runs once, after the last call. */
  shutdown?(): unknown
  /** A returned string, or a throw, is a veto: the start, or the change, is refused with these words. */
  validate_config?(config: Readonly<Record<string, unknown>>): ConfigVerdict | Promise<ConfigVerdict>
  /**
   * Takes a new configuration while calls run; `context.config` is the old one until it is done. A throw refuses:
   * then, as without this hook, a new generation starts with it.
   */
  configure?(config: Readonly<Record<string, unknown>>): unknown
  /** A reload is near, and no call comes until `resume` or the end: finishes what must be finished. */
  quiesce?(): unknown
  /** The reload came to nothing: calls come again. */
  resume?(): unknown
  /** What the next generation gets as `previous_state`, as JSON. */
  export_state?(): unknown
  /** Says how the plugin is, as JSON. */
  health?(): unknown
  /** Says more about the plugin than its manifest, as JSON. */
  metadata?(): unknown
  /** Says what the plugin can do, as JSON. */
  capabilities?(): unknown
}

type ConfigVerdict = string | null | undefined | void
