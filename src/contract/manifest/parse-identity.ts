import type { PluginType } from '../life.ts'
import type { Manifest } from '../manifest.ts'
import { quoteText } from '../quote-text.ts'
import { folderPathProblem } from './folder-path.ts'
import type { IssueList, Problem } from './issue-list.ts'
import type { TableReader } from './table-reader.ts'
import { isSemanticVersion } from './version-text.ts'

const PLUGIN_ID = /^[a-z][a-z0-9_]{0,63}$/
const PLUGIN_TYPES = ['native', 'wasm', 'javascript'] as const satisfies readonly PluginType[]
/** A plugin has the type of what runs it, not of what it is written in. */
const TYPE_OF_LANGUAGE: ReadonlyMap<string, PluginType> = new Map([
  ['typescript', 'javascript'],
  ['rust', 'native'],
  ['python', 'native'],
  ['c', 'native'],
  ['webassembly', 'wasm'],
  ['wasm-rust', 'wasm'],
  ['wasm-assemblyscript', 'wasm'],
  ['wasm-c', 'wasm'],
])
/** What Node loads as JavaScript, or strips to it. */
const JAVASCRIPT_ENTRY = /\.(?:js|mjs|cjs|ts|mts)$/
const ENTRY_SAMPLES = { javascript: '"index.js"', wasm: '"plugin.wasm"', native: '"main"' } as const
const MAX_DESCRIPTION_CHARS = 8192
const MAX_URL_CHARS = 2048

export type Identity = Pick<
  Manifest,
  'id' | 'name' | 'version' | 'type' | 'author' | 'description' | 'license' | 'homepage' | 'entryPoint'
>

export type CheckEntryPoint = (relativePath: string, type: PluginType) => readonly Problem[]

export function isPluginId(text: string): boolean {
  return PLUGIN_ID.test(text)
}

/** `[plugin]`. */
export function parseIdentity(
  reader: TableReader,
  issues: IssueList,
  checkEntryPoint: CheckEntryPoint | undefined,
): Identity {
  const id = reader.requiredText('id', { sample: '"my_plugin"', check: idProblem }) ?? ''
  const name = reader.requiredText('name', { sample: '"My Plugin"' }) ?? ''
  const version = reader.requiredText('version', { sample: '"1.0.0"', check: versionProblem }) ?? ''
  const type = parseType(reader, issues)
  const entryPoint = reader.requiredText('entry_point', {
    sample: ENTRY_SAMPLES[type ?? 'native'],
    maxChars: 4096,
    check: (path) => entryPointProblem(path, type),
  })
  if (entryPoint !== null && type !== null) {
    for (const problem of checkEntryPoint?.(entryPoint, type) ?? [])
      issues.error(reader.pathOf('entry_point'), problem)
  }
  return {
    id,
    name,
    version,
    type: type ?? 'javascript',
    author: reader.text('author', { sample: '"Your Name"' }),
    description: parseDescription(reader) ?? '',
    license: reader.text('license', { sample: '"MIT"' }),
    homepage: reader.text('homepage', {
      sample: '"https://example.org/my-plugin"',
      maxChars: MAX_URL_CHARS,
      check: homepageProblem,
    }),
    entryPoint: entryPoint ?? '',
  }
}

function parseType(reader: TableReader, issues: IssueList): PluginType | null {
  if (reader.has('type')) return reader.choice('type', PLUGIN_TYPES, TYPE_OF_LANGUAGE)
  issues.error(reader.pathOf('type'), { problem: 'it is missing', remedy: 'Add type = "javascript"' })
  return null
}

function parseDescription(reader: TableReader): string | null {
  const sample = '"What the plugin does"'
  return reader.text('description', { sample, maxChars: MAX_DESCRIPTION_CHARS, isMultiline: true })
}

function idProblem(id: string): string | null {
  if (isPluginId(id)) return null
  return `${quoteText(id)} is no id (a small letter, then at most 63 small letters, digits or "_")`
}

function versionProblem(version: string): string | null {
  return isSemanticVersion(version) ? null : `${quoteText(version)} is no semantic version`
}

function homepageProblem(url: string): string | null {
  const isWeb = URL.canParse(url) && /^https?:\/\//i.test(url)
  return isWeb ? null : `${quoteText(url)} is no http or https address`
}

function entryPointProblem(path: string, type: PluginType | null): string | null {
  const problem = folderPathProblem(path)
  if (problem !== null) return `${quoteText(path)} ${problem}, expected a path inside the plugin folder`
  const isModule = path.endsWith('.wasm')
  const isJavaScript = JAVASCRIPT_ENTRY.test(path)
  if (type === 'wasm' && !isModule) {
    const instead = isJavaScript ? ', or type = "javascript"' : ''
    return `${quoteText(path)} is no WebAssembly module, expected one that ends in .wasm${instead}`
  }
  if (type === 'native' && isModule)
    return `${quoteText(path)} is a WebAssembly module, expected a program, or type = "wasm"`
  if (type !== 'javascript' || isJavaScript) return null
  const instead = `, or type = "${isModule ? 'wasm' : 'native'}"`
  return `${quoteText(path)} is no JavaScript file, expected one that ends in .js, .mjs, .cjs, .ts or .mts${instead}`
}
