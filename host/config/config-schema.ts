import { PERMISSION_MODES } from '../../src/contract/learned-permissions.ts'
import type { FromSchema, JsonSchema } from '../../src/contract/json-schema.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

/**
 * Every key of the daemon's configuration, as it stands in YAML. Each section lists all its keys as required:
 * that holds for what the layers make together, one layer may name any of them.
 */
export const CONFIG_SCHEMA = section({
  plugins: section({
    directory: { type: 'string', minLength: 1, maxLength: 4096 },
    builtin: { type: 'boolean' },
  }),
  security: section({
    required_tier: { enum: ['process', 'namespace'] },
    secrets_file: { type: 'string', maxLength: 4096, pattern: '^(?:/.+)?$' },
  }),
  permissions: section({ mode: { enum: PERMISSION_MODES } }),
  workspace: section({
    roots: { type: 'array', maxItems: 256, items: { type: 'string', minLength: 1, maxLength: 4096 } },
  }),
  limits: section({ max_payload_mb: integer(1, 2048), max_clients: integer(1, 65_536) }),
  execution: section({
    cancel_grace_ms: integer(0, 60_000),
    start_timeout_ms: integer(100, 600_000),
    max_calls: integer(1, 1_000_000),
    max_calls_share: number(0.01, 1),
    max_workspaces: integer(1, 65_536),
    idle_timeout_ms: integer(0, DAY_MS),
    liveness_interval_ms: integer(0, HOUR_MS),
    liveness_timeout_ms: integer(100, 600_000),
  }),
  restart: section({
    backoff_initial_ms: integer(1, 600_000),
    backoff_max_ms: integer(1, HOUR_MS),
    reset_after_ms: integer(1, DAY_MS),
    host_intensity: integer(1, 10_000),
    host_period_ms: integer(100, HOUR_MS),
  }),
  reload: section({
    watch: { type: 'boolean' },
    debounce_ms: integer(0, 60_000),
    drain_timeout_ms: integer(0, HOUR_MS),
    probation_ms: integer(0, HOUR_MS),
    probation_error_rate: number(0, 1),
    kept_generations: integer(1, 100),
  }),
  breaker: section({
    failure_rate: number(0.01, 1),
    min_calls: integer(1, 100_000),
    window_ms: integer(100, HOUR_MS),
    open_ms: integer(100, HOUR_MS),
  }),
  history: section({ retention_days: integer(0, 3650), max_entries: integer(1, 10_000_000) }),
  egress: section({
    // `name=address`.
    resolve: {
      type: 'array',
      maxItems: 256,
      items: { type: 'string', pattern: '^[^=\\s]{1,253}=[0-9A-Fa-f.:]{2,45}$' },
    },
    // `address` or `address:port`.
    name_servers: {
      type: 'array',
      maxItems: 8,
      items: { type: 'string', pattern: '^[0-9A-Fa-f.:\\[\\]]{2,53}$' },
    },
  }),
  throttle: section({
    // More than one core: a plugin may have threads.
    cpu_share: number(0.01, 64),
    window_ms: integer(100, 600_000),
    nice: integer(0, 19),
    background: { type: 'array', maxItems: 1000, items: { type: 'string', minLength: 1, maxLength: 128 } },
    daemon_nice: integer(-20, 0),
  }),
  daemon: section({
    private_linger_ms: integer(0, 600_000),
    socket_mode: { enum: ['0600', '0660', '0666'] },
    socket_group: { type: 'string', maxLength: 64 },
  }),
  audit: section({ max_file_mb: integer(1, 1024), max_files: integer(2, 1000) }),
  log: section({ level: { enum: ['debug', 'info', 'warn', 'error'] } }),
})

/** The whole of it, as it stands in YAML. */
export type ConfigTree = FromSchema<typeof CONFIG_SCHEMA>

type SectionName = keyof ConfigTree

/**
 * Which keys act without a restart of the daemon: all of a section, none, or those named. What decides how plugins
 * are confined, or was promised to a connection when it was made, stays until the daemon starts anew.
 */
export const RELOADS: Readonly<Record<SectionName, boolean | readonly string[]>> = {
  plugins: false,
  security: false,
  permissions: false,
  workspace: true,
  limits: ['max_clients'],
  execution: true,
  restart: true,
  reload: true,
  breaker: true,
  history: true,
  egress: true,
  throttle: true,
  daemon: false,
  audit: false,
  log: true,
}

type CamelCase<Name extends string> = Name extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : Name

type ReadonlyValue<Value> = Value extends (infer Item)[] ? readonly Item[] : Value

/** The daemon's configuration as its parts take it: `limits.max_clients` is `limits.maxClients`. */
export type HostConfig = {
  readonly [Section in SectionName]: {
    readonly [Key in keyof ConfigTree[Section] & string as CamelCase<Key>]: ReadonlyValue<
      ConfigTree[Section][Key]
    >
  }
}

export function toHostConfig(tree: ConfigTree): HostConfig {
  const sections = Object.entries(tree).map(([name, values]) => [
    name,
    Object.fromEntries(Object.entries(values).map(([key, value]) => [toCamelCase(key), value])),
  ])
  return Object.fromEntries(sections) as HostConfig
}

/** The same without `required`, and a section without content (all its lines commented out) allowed. */
export function toLayerSchema(): JsonSchema {
  const sections = Object.entries(CONFIG_SCHEMA.properties).map(([name, { properties }]) => [
    name,
    { type: ['object', 'null'], additionalProperties: false, properties },
  ])
  return { type: 'object', additionalProperties: false, properties: Object.fromEntries(sections) }
}

function section<const Properties extends Readonly<Record<string, JsonSchema>>>(properties: Properties) {
  const required = Object.keys(properties) as (keyof Properties)[]
  return { type: 'object', additionalProperties: false, required, properties } as const
}

function integer(minimum: number, maximum: number) {
  return { type: 'integer', minimum, maximum } as const
}

function number(minimum: number, maximum: number) {
  return { type: 'number', minimum, maximum } as const
}

function toCamelCase(key: string): string {
  return key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
}
