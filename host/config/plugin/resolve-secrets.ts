import { isAbsolute } from 'node:path'
import type { ManifestIssue } from '../../../src/contract/plugin-info.ts'
import { quoteText } from '../../../src/contract/quote-text.ts'
import { type ConfigChecker, type PluginConfig, without } from './compute-plugin-config.ts'
import { configInvalid } from './config-invalid.ts'
import { isTree } from './merge-config.ts'
import { toResolvedIssues } from './problem-issue.ts'
import { readRegularFile, type RefuseFile } from './read-regular-file.ts'
import { fillReferences, referencePaths, referencesIn, type SecretReference } from './secret-reference.ts'

const MAX_SECRET_BYTES = 64 * 1024
const VARIABLE_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/

export interface SecretSources {
  readonly pluginId: string
  readonly schema: Readonly<Record<string, unknown>> | null
  readonly checker: ConfigChecker
  /** Of the daemon's process. */
  readonly variables: Readonly<Record<string, string | undefined>>
  readonly refuseFile: RefuseFile
}

export interface ResolvedConfig {
  /** For the plugin alone; it is neither stored nor shown. */
  readonly config: Record<string, unknown>
  /** Each value that came from elsewhere, for the redactor. */
  readonly secrets: readonly string[]
}

type Resolution = { readonly value: string } | { readonly problem: string; readonly remedy: string }

/**
 * Puts the secrets in whose references stand in the file, and checks again what they make. A reference in a default
 * of the plugin's own stays text: a plugin must not choose what it reads of the daemon's. Throws `CONFIG_INVALID`
 * with keys and references, never with a value.
 */
export async function resolveSecrets(config: PluginConfig, sources: SecretSources): Promise<ResolvedConfig> {
  const { layers, effective, undeclared } = config
  const paths = referencePaths(layers.data)
  const resolved = structuredClone(effective) as Record<string, unknown>
  if (paths.length === 0) return { config: resolved, secrets: [] }
  const issues: ManifestIssue[] = []
  const values = new Map<string, string>()
  for (const path of paths) {
    const text = String(layers.valueAt(path))
    for (const reference of referencesIn(text)) {
      const found = await resolve(reference, sources)
      if ('value' in found) values.set(reference.text, found.value)
      else issues.push(toIssue(config, { path, reference, ...found }))
    }
    replaceAt(resolved, path, fillReferences(text, values))
  }
  if (issues.length === 0 && sources.schema !== null) {
    const { problems } = await sources.checker.checkConfig(sources.schema, without(resolved, undeclared))
    issues.push(...toResolvedIssues(problems, layers))
  }
  if (issues.length > 0) throw configInvalid(sources.pluginId, issues)
  return { config: resolved, secrets: [...new Set(values.values())].filter((secret) => secret !== '') }
}

async function resolve({ kind, name }: SecretReference, sources: SecretSources): Promise<Resolution> {
  return kind === 'env' ? fromVariable(name, sources) : await fromFile(name, sources)
}

function fromVariable(name: string, { variables }: SecretSources): Resolution {
  if (!VARIABLE_NAME.test(name)) {
    return {
      problem: `${quoteText(name)} is no name of a variable`,
      remedy: 'Write it like ${env:API_TOKEN}',
    }
  }
  const value = Object.hasOwn(variables, name) ? variables[name] : undefined
  if (value !== undefined) return { value }
  return {
    problem: "the daemon's environment has no such variable",
    remedy: 'Set it where the daemon is started',
  }
}

async function fromFile(path: string, { refuseFile }: SecretSources): Promise<Resolution> {
  if (!isAbsolute(path) || path.includes('\0')) {
    return { problem: 'it names no absolute path', remedy: 'Write it like ${file:/run/secrets/token}' }
  }
  const file = await readRegularFile(path, MAX_SECRET_BYTES, refuseFile)
  if ('problem' in file) {
    return { problem: `the file cannot be read: ${file.problem}`, remedy: 'Name a readable text file' }
  }
  return { value: file.text.replace(/\r?\n$/, '') }
}

function toIssue(
  { layers }: PluginConfig,
  {
    path,
    reference,
    ...found
  }: { path: string[]; reference: SecretReference; problem: string; remedy: string },
): ManifestIssue {
  const field = layers.fieldOf(path)
  const name = field.includes('"') ? field : quoteText(field)
  return {
    ...layers.placeOf(path, 'value'),
    field,
    severity: 'error',
    message: `Cannot use ${name}: found the reference ${quoteText(reference.text)}, but ${found.problem}. ${found.remedy}`,
  }
}

/** The path comes from the same tree, with more keys since. */
function replaceAt(tree: Record<string, unknown>, path: readonly string[], value: string): void {
  let at: unknown = tree
  for (const step of path.slice(0, -1)) at = (at as Record<string, unknown>)[step]
  const last = path.at(-1)
  if (last !== undefined && (isTree(at) || Array.isArray(at))) (at as Record<string, unknown>)[last] = value
}
