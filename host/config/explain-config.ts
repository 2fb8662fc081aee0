import type { ConfigValue } from '../../src/contract/plugin-config.ts'
import { CONFIG_KEYS, valueOf } from './config-keys.ts'
import type { LoadedHostConfig } from './host-config.ts'

/** Every key with its value, in the schema's order: where it comes from, and whether a change acts at once. */
export function explainConfig({ tree, origins }: Pick<LoadedHostConfig, 'tree' | 'origins'>): ConfigValue[] {
  return CONFIG_KEYS.map((key) => ({
    key: key.name,
    value: valueOf(tree, key),
    origin: origins.get(key.name) ?? '',
    reloads: key.reloads,
  }))
}
