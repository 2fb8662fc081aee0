import type { FromSchema, JsonSchema } from '../../src/contract/json-schema.ts'

/**
 * Every key of the daemon's configuration, as it stands in YAML. Each section lists all its keys as required:
 * that holds for what the layers make together, one layer may name any of them.
 */
export const CONFIG_SCHEMA = {
  type: 'object',
  additionalProperties: false,
  required: ['plugins', 'security', 'workspace', 'limits', 'execution', 'daemon', 'log'],
  properties: {
    plugins: {
      type: 'object',
      additionalProperties: false,
      required: ['directory', 'builtin'],
      properties: {
        directory: { type: 'string', minLength: 1, maxLength: 4096 },
        builtin: { type: 'boolean' },
      },
    },
    security: {
      type: 'object',
      additionalProperties: false,
      required: ['required_tier'],
      properties: { required_tier: { enum: ['process', 'namespace'] } },
    },
    workspace: {
      type: 'object',
      additionalProperties: false,
      required: ['roots'],
      properties: {
        roots: { type: 'array', maxItems: 256, items: { type: 'string', minLength: 1, maxLength: 4096 } },
      },
    },
    limits: {
      type: 'object',
      additionalProperties: false,
      required: ['max_payload_mb', 'max_clients'],
      properties: {
        max_payload_mb: { type: 'integer', minimum: 1, maximum: 2048 },
        max_clients: { type: 'integer', minimum: 1, maximum: 65_536 },
      },
    },
    execution: {
      type: 'object',
      additionalProperties: false,
      required: ['cancel_grace_ms', 'start_timeout_ms'],
      properties: {
        cancel_grace_ms: { type: 'integer', minimum: 0, maximum: 60_000 },
        start_timeout_ms: { type: 'integer', minimum: 100, maximum: 600_000 },
      },
    },
    daemon: {
      type: 'object',
      additionalProperties: false,
      required: ['private_linger_ms'],
      properties: { private_linger_ms: { type: 'integer', minimum: 0, maximum: 600_000 } },
    },
    log: {
      type: 'object',
      additionalProperties: false,
      required: ['level'],
      properties: { level: { enum: ['debug', 'info', 'warn', 'error'] } },
    },
  },
} as const

/** The whole of it, as it stands in YAML. */
export type ConfigTree = FromSchema<typeof CONFIG_SCHEMA>

/** The daemon's configuration as its parts take it. */
export interface HostConfig {
  readonly plugins: { readonly directory: string; readonly builtin: boolean }
  readonly security: { readonly requiredTier: 'process' | 'namespace' }
  readonly workspace: { readonly roots: readonly string[] }
  readonly limits: { readonly maxPayloadMb: number; readonly maxClients: number }
  readonly execution: { readonly cancelGraceMs: number; readonly startTimeoutMs: number }
  readonly daemon: { readonly privateLingerMs: number }
  readonly log: { readonly level: 'debug' | 'info' | 'warn' | 'error' }
}

export function toHostConfig(tree: ConfigTree): HostConfig {
  return {
    plugins: tree.plugins,
    security: { requiredTier: tree.security.required_tier },
    workspace: tree.workspace,
    limits: { maxPayloadMb: tree.limits.max_payload_mb, maxClients: tree.limits.max_clients },
    execution: {
      cancelGraceMs: tree.execution.cancel_grace_ms,
      startTimeoutMs: tree.execution.start_timeout_ms,
    },
    daemon: { privateLingerMs: tree.daemon.private_linger_ms },
    log: tree.log,
  }
}

/** The same without `required`, and a section without content (all its lines commented out) allowed. */
export function toLayerSchema(): JsonSchema {
  const sections = Object.entries(CONFIG_SCHEMA.properties).map(([name, { properties }]) => [
    name,
    { type: ['object', 'null'], additionalProperties: false, properties },
  ])
  return { type: 'object', additionalProperties: false, properties: Object.fromEntries(sections) }
}
