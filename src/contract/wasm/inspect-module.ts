import type { Problem } from '../manifest/issue-list.ts'
import { quoteText } from '../quote-text.ts'
import {
  HOST_FUNCTIONS,
  HOST_MODULE,
  MAX_MODULE_BYTES,
  OPTIONAL_FUNCTIONS,
  REQUIRED_FUNCTIONS,
  WASI_FUNCTIONS,
  WASI_MODULE,
  WASM_PAGE_BYTES,
} from './abi.ts'
import { MalformedModule } from './binary-reader.ts'
import { describeForeign } from './describe-foreign.ts'
import { readModule, type DeclaredModule, type ModuleImport, type SizeLimits } from './read-module.ts'

export interface ModuleLimits {
  /** Of the manifest's `max_memory_mb`. */
  readonly maxMemoryPages: number
  readonly maxTableElements: number
}

/** What is known of a module that may be compiled. */
export interface ModuleFacts {
  /** `module.name` of each, none twice. */
  readonly imports: readonly string[]
  readonly memory: SizeLimits
  /** Whether it exports `_initialize`. */
  readonly hasInitialize: boolean
}

export type Inspection =
  | { readonly facts: ModuleFacts; readonly problems: readonly [] }
  | { readonly facts: null; readonly problems: readonly [Problem, ...Problem[]] }

/** Names in one message; the rest is counted. */
const MAX_NAMED = 16
const REBUILD = 'Build a core module (docs/wasi.md names what it may use)'

/**
 * Whether a plugin's module keeps to "phantom-wasm v1", before anything is compiled. Nothing that the bytes say makes
 * this throw, loop or keep more than a few times their size.
 */
export function inspectModule(bytes: Uint8Array, limits: ModuleLimits): Inspection {
  const foreign = describeForeign(bytes)
  if (foreign !== null) return { facts: null, problems: [foreign] }
  if (bytes.length > MAX_MODULE_BYTES) return { facts: null, problems: [tooLarge(bytes.length)] }
  try {
    return judge(readModule(bytes), limits)
  } catch (error) {
    if (!(error instanceof MalformedModule)) throw error
    return { facts: null, problems: [{ problem: error.message, remedy: REBUILD }] }
  }
}

function judge(module: DeclaredModule, limits: ModuleLimits): Inspection {
  if (module.isUnlinked) {
    const problem = 'it is an object file that was never linked'
    return {
      facts: null,
      problems: [{ problem, remedy: 'Link it with wasm-ld, or let the compiler do that' }],
    }
  }
  const [memory] = module.memories
  const [first, ...others] = [
    refusedImports(module),
    wrongImports(module),
    missingExports(module),
    wrongExports(module),
    startProblem(module),
    memoryProblem(memory, limits),
    tableProblem(module, limits),
  ].filter((problem) => problem !== null)
  if (first !== undefined) return { facts: null, problems: [first, ...others] }
  const imports = [...new Set(module.imports.map(spell))]
  const hasInitialize = module.exports.has('_initialize')
  // It exports one, so it has one.
  return { facts: { imports, memory: memory!, hasInitialize }, problems: [] }
}

function tooLarge(bytes: number): Problem {
  const problem = `it has ${bytes} bytes, at most ${MAX_MODULE_BYTES} are allowed`
  return { problem, remedy: 'Build it without debug information, or ship its data as files of the plugin' }
}

/** The signature that such an import must have; undefined for one that nobody serves. */
function signatureOf({ module, name, kind }: ModuleImport): string | undefined {
  if (kind !== 'function') return undefined
  const known = module === WASI_MODULE ? WASI_FUNCTIONS : module === HOST_MODULE ? HOST_FUNCTIONS : {}
  return Object.hasOwn(known, name) ? known[name] : undefined
}

function refusedImports({ imports }: DeclaredModule): Problem | null {
  const refused = imports
    .filter((one) => signatureOf(one) === undefined)
    .map((one) => `${quoteText(spell(one))} (${one.kind})`)
  if (refused.length === 0) return null
  const remedy = `Only functions of "${WASI_MODULE}" and "call" of "${HOST_MODULE}" can be imported: build without what needs it`
  return { problem: `it imports ${listed(refused)}`, remedy }
}

function wrongImports({ imports, types }: DeclaredModule): Problem | null {
  const wrong = imports.flatMap((one) => {
    const expected = signatureOf(one)
    const found = types[one.type ?? -1]
    if (expected === undefined || found === undefined || found === expected) return []
    return [`${quoteText(spell(one))} as ${shown(found)}, expected ${shown(expected)}`]
  })
  if (wrong.length === 0) return null
  return { problem: `it imports ${listed(wrong)}`, remedy: 'Declare it as it is' }
}

function missingExports({ exports }: DeclaredModule): Problem | null {
  const missing = ['memory', ...Object.keys(REQUIRED_FUNCTIONS)].filter((name) => !exports.has(name))
  if (missing.length === 0) return null
  const problem = `it does not export ${listed(missing.map((name) => quoteText(name)))}`
  const remedy = exports.has('_start')
    ? 'It is a command (it exports "_start"): build a reactor, with clang -mexec-model=reactor, in Rust as a cdylib'
    : 'Build it with the SDK of its language, which exports them'
  return { problem, remedy }
}

function wrongExports(module: DeclaredModule): Problem | null {
  const wrong: string[] = []
  const memory = module.exports.get('memory')
  if (memory !== undefined && memory.kind !== 'memory')
    wrong.push(`"memory" as a ${memory.kind}, expected a memory`)
  for (const [name, expected] of Object.entries({ ...REQUIRED_FUNCTIONS, ...OPTIONAL_FUNCTIONS })) {
    const found = module.exports.get(name)
    if (found === undefined) continue
    const type =
      found.kind === 'function' ? module.types[module.functions[found.index] ?? -1] : `a ${found.kind}`
    if (type === expected) continue
    const words =
      type === undefined ? 'a function that is not there' : type.includes('>') ? shown(type) : type
    wrong.push(`"${name}" as ${words}, expected ${shown(expected)}`)
  }
  if (wrong.length === 0) return null
  return { problem: `it exports ${listed(wrong)}`, remedy: 'Declare it as it is' }
}

/** It would run inside of the instantiation, where no host call can wait and no memory is bound yet. */
function startProblem({ hasStart }: DeclaredModule): Problem | null {
  if (!hasStart) return null
  const remedy = 'Export what it does as "_initialize" (AssemblyScript: --exportStart _initialize)'
  return { problem: 'it has a start section', remedy }
}

function memoryProblem(memory: SizeLimits | undefined, { maxMemoryPages }: ModuleLimits): Problem | null {
  if (memory === undefined || memory.min <= maxMemoryPages) return null
  const needed = toMb(memory.min)
  return {
    problem: `its memory begins with ${needed} MB, and the limit is ${toMb(maxMemoryPages)}`,
    remedy: `Set max_memory_mb = ${needed} or more under [resource_limits], or build it with less`,
  }
}

function tableProblem({ tables }: DeclaredModule, { maxTableElements }: ModuleLimits): Problem | null {
  const elements = tables.reduce((sum, table) => sum + table.min, 0)
  if (elements <= maxTableElements) return null
  const problem = `its tables begin with ${elements} elements, and the limit is ${maxTableElements}`
  return { problem, remedy: 'Build it with fewer functions whose address is taken' }
}

function spell({ module, name }: ModuleImport): string {
  return `${module}.${name}`
}

/** `(i32, i64) -> i32` */
function shown(signature: string): string {
  const [parameters = '', results = ''] = signature.split('>').map((part) => {
    const names = Array.from(part, (letter) => VALUE_NAMES[letter] ?? letter)
    return names.length > MAX_NAMED ? `${names.length} values` : names.join(', ')
  })
  return results === '' ? `(${parameters})` : `(${parameters}) -> ${results}`
}

const VALUE_NAMES: Readonly<Record<string, string>> = {
  i: 'i32',
  I: 'i64',
  f: 'f32',
  F: 'f64',
  v: 'v128',
  r: 'funcref',
  e: 'externref',
}

function listed(items: readonly string[]): string {
  const more = items.length - MAX_NAMED
  const named = items.slice(0, MAX_NAMED).join(', ')
  return more > 0 ? `${named} and ${more} more` : named
}

function toMb(pages: number): number {
  return Math.ceil((pages * WASM_PAGE_BYTES) / (1024 * 1024))
}
