import { isPhantomError } from '../../../src/contract/phantom-error.ts'
import type { ManifestIssue } from '../../../src/contract/plugin-info.ts'
import type { SchemaCompiler } from '../../validation/schema-compiler.ts'
import {
  COMMON_KEYS,
  type CommonConfig,
  commonKeyProblem,
  type CommonKey,
  toCommonConfig,
} from './common-keys.ts'
import { type ConfigFile, parseConfig } from './config-source.ts'
import { declaredKeys } from './declared-keys.ts'
import { environmentIssues, environmentsIn } from './environment-issues.ts'
import { LayeredConfig } from './layered-config.ts'
import { toConfigIssues } from './problem-issue.ts'

export type ConfigChecker = Pick<SchemaCompiler, 'checkConfig' | 'configDefaults'>

export interface PluginConfigRequest {
  /** `[configuration]` of the plugin's manifest. */
  readonly schema: Readonly<Record<string, unknown>> | null
  readonly file: ConfigFile
  readonly environment: string
  /** Whether the other environments of the file are checked, too: before something is written. */
  readonly allEnvironments?: boolean
  readonly checker: ConfigChecker
}

export interface PluginConfig {
  /** What the plugin gets; references to secrets as written. */
  readonly effective: Readonly<Record<string, unknown>>
  /** `database.port` → `config/plugins/x.yaml:3:1`, or `default of plugin.toml`. */
  readonly origins: Readonly<Record<string, string>>
  readonly common: CommonConfig
  /** What the file itself says in this environment, and where. */
  readonly layers: LayeredConfig
  /** Common keys that the schema does not speak of: they are kept from it. */
  readonly undeclared: readonly CommonKey[]
}

export interface ComputedPluginConfig {
  /** Null when there is an error among the issues. */
  readonly config: PluginConfig | null
  readonly issues: readonly ManifestIssue[]
}

/**
 * A plugin's configuration: defaults of its schema, the file, the environment's overlay. Every mistake is an issue
 * with its place; only a schema that cannot be used throws, `MANIFEST_INVALID`.
 */
export async function computePluginConfig(request: PluginConfigRequest): Promise<ComputedPluginConfig> {
  const { schema, file, environment, checker } = request
  const declared = declaredKeys(schema, COMMON_KEYS)
  const undeclared = COMMON_KEYS.filter((key) => !declared.has(key))
  const { source, issues: faults } = parseConfig(file)
  if (source === null) return { config: null, issues: faults }
  if (file.text === null && schema !== null) {
    const defaults = await knownDefaults(schema, checker)
    const layers = new LayeredConfig(source, environment, {})
    if (defaults !== null) return { config: configOf(layers, defaults, undeclared), issues: [] }
  }
  const environments = environmentsIn(source)
  const issues = [...environmentIssues(source, environment)]
  const others = request.allEnvironments === true ? Object.keys(environments) : []
  const names = [environment, ...others.filter((name) => name !== environment)]
  let config: PluginConfig | null = null
  for (const name of names) {
    const layers = new LayeredConfig(source, name, environments[name] ?? {})
    issues.push(...commonIssues(layers, undeclared))
    const checked = await checkBySchema(layers, schema, { undeclared, checker })
    issues.push(...checked.issues)
    config ??= configOf(layers, checked.value, undeclared)
  }
  const unique = distinct(issues)
  return { config: unique.some(({ severity }) => severity === 'error') ? null : config, issues: unique }
}

/** Cached by the compiler, so that thousands of plugins without a file cost no check. Null: they do not fit. */
async function knownDefaults(
  schema: Readonly<Record<string, unknown>>,
  checker: ConfigChecker,
): Promise<Record<string, unknown> | null> {
  try {
    return await checker.configDefaults(schema)
  } catch (error) {
    // The check that follows says it by place.
    if (isPhantomError(error) && error.code === 'CONFIG_INVALID') return null
    throw error
  }
}

async function checkBySchema(
  layers: LayeredConfig,
  schema: Readonly<Record<string, unknown>> | null,
  { undeclared, checker }: { undeclared: readonly CommonKey[]; checker: ConfigChecker },
): Promise<{ value: Record<string, unknown>; issues: ManifestIssue[] }> {
  const own = without(layers.data, undeclared)
  if (schema === null) return { value: own, issues: [] }
  const { value, problems } = await checker.checkConfig(schema, own)
  return { value, issues: toConfigIssues(problems, layers) }
}

function configOf(
  layers: LayeredConfig,
  value: Record<string, unknown>,
  undeclared: readonly CommonKey[],
): PluginConfig {
  const kept = undeclared.filter((key) => Object.hasOwn(layers.data, key))
  const effective = { ...Object.fromEntries(kept.map((key) => [key, layers.data[key]])), ...value }
  return {
    effective,
    origins: layers.originsOf(effective),
    common: toCommonConfig(layers.data),
    layers,
    undeclared,
  }
}

function commonIssues(layers: LayeredConfig, undeclared: readonly CommonKey[]): ManifestIssue[] {
  return undeclared.flatMap((key) => {
    if (!Object.hasOwn(layers.data, key)) return []
    const problem = commonKeyProblem(key, layers.data[key])
    if (problem === null) return []
    const message = `Cannot use "${key}": ${problem.problem}. ${problem.remedy}`
    return {
      ...layers.placeOf([key], 'value'),
      field: layers.fieldOf([key]),
      severity: 'error' as const,
      message,
    }
  })
}

/** What stands in the base is found again in each environment. */
function distinct(issues: readonly ManifestIssue[]): ManifestIssue[] {
  const byPlace = new Map(issues.map((issue) => [`${issue.line}:${issue.column} ${issue.message}`, issue]))
  return [...byPlace.values()].toSorted((a, b) => a.line - b.line || a.column - b.column)
}

export function without(
  data: Readonly<Record<string, unknown>>,
  keys: readonly string[],
): Record<string, unknown> {
  return Object.fromEntries(Object.entries(data).filter(([key]) => !keys.includes(key)))
}
