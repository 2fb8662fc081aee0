import type { FromSchema } from '../contract/json-schema.ts'
import type { ExecutionContext, PluginContext } from './plugin-context.ts'

/**
 * Runs an operation. What it returns, or what its promise resolves with, must be JSON; undefined stands for null.
 * Compared bivariantly, so that an author may annotate the input with a type of their own.
 */
export type OperationHandler<Input = unknown> = {
  handle(input: Input, context: ExecutionContext): unknown
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
  /** Runs once, before the first call. A throw fails the start. */
  initialize?(context: PluginContext): unknown
  /** Runs once, after the last call. */
  shutdown?(): unknown
  /** A returned string, or a throw, is a veto: the start fails with these words. */
  validate_config?(config: Readonly<Record<string, unknown>>): ConfigVerdict | Promise<ConfigVerdict>
  /** Says how the plugin is, as JSON. */
  health?(): unknown
  /** Says more about the plugin than its manifest, as JSON. */
  metadata?(): unknown
  /** Says what the plugin can do, as JSON. */
  capabilities?(): unknown
}

type ConfigVerdict = string | null | undefined | void
