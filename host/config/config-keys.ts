import type { JsonSchema } from '../../src/contract/json-schema.ts'
import { CONFIG_SCHEMA, type ConfigTree, RELOADS } from './config-schema.ts'

/** One key of the configuration. */
export interface ConfigKey {
  readonly section: keyof ConfigTree
  readonly key: string
  /** `limits.max_clients` */
  readonly name: string
  /** `PHANTOM_LIMITS_MAX_CLIENTS` */
  readonly variable: string
  readonly schema: JsonSchema
  /** Whether a change acts without a restart of the daemon. */
  readonly reloads: boolean
}

/** All of them, in the schema's order. */
export const CONFIG_KEYS: readonly ConfigKey[] = Object.entries(CONFIG_SCHEMA.properties).flatMap(
  ([name, { properties }]) => {
    const section = name as keyof ConfigTree
    const reloads = RELOADS[section]
    return Object.entries(properties as Readonly<Record<string, JsonSchema>>).map(([key, schema]) => ({
      section,
      key,
      name: `${section}.${key}`,
      variable: `PHANTOM_${section}_${key}`.toUpperCase(),
      schema,
      reloads: typeof reloads === 'boolean' ? reloads : reloads.includes(key),
    }))
  },
)

export function valueOf(tree: ConfigTree, { section, key }: ConfigKey): unknown {
  return (tree[section] as Readonly<Record<string, unknown>>)[key]
}
