import { BinaryReader } from './binary-reader.ts'
import { OPTIONAL_FUNCTIONS, REQUIRED_FUNCTIONS } from './abi.ts'

type ExternKind = 'function' | 'table' | 'memory' | 'global' | 'tag'

export interface ModuleImport {
  readonly module: string
  readonly name: string
  readonly kind: ExternKind
  /** Of a function: an index into `types`. */
  readonly type: number | null
}

/** Least and greatest size: a memory's in pages, a table's in elements. */
export interface SizeLimits {
  readonly min: number
  readonly max: number | null
}

/** What a module declares, code and data left out. */
export interface DeclaredModule {
  /** See `abi.ts`; beside `i` and `I` f32 is `f`, f64 `F`, v128 `v`, funcref `r`, externref `e`. */
  readonly types: readonly string[]
  readonly imports: readonly ModuleImport[]
  /** The type of each function, imported ones first. */
  readonly functions: Uint32Array
  readonly tables: readonly SizeLimits[]
  readonly memories: readonly SizeLimits[]
  /** Those that mean something here; of the others nothing is kept. */
  readonly exports: ReadonlyMap<string, { readonly kind: ExternKind; readonly index: number }>
  readonly hasStart: boolean
  /** An object file that was never linked has sections that only a linker understands. */
  readonly isUnlinked: boolean
}

/** More than toolchains make, and less than what would burden whoever reads a hostile module. */
const MAX_SECTIONS = 1_000
const MAX_TYPES = 10_000
const MAX_TYPE_VALUES = 1_000
/** Of all types together: they are read one by one. */
const MAX_VALUES = 200_000
const MAX_IMPORTS = 1_000
const MAX_FUNCTIONS = 1_000_000
const MAX_TABLES = 4
const MAX_EXPORTS = 100_000

const KINDS: readonly ExternKind[] = ['function', 'table', 'memory', 'global', 'tag']
const FUNC = 0x60
const FUNCREF = 0x70
const EXTERNREF = 0x6f
const VALUE_TYPES: ReadonlyMap<number, string> = new Map([
  [0x7f, 'i'],
  [0x7e, 'I'],
  [0x7d, 'f'],
  [0x7c, 'F'],
  [0x7b, 'v'],
  [FUNCREF, 'r'],
  [EXTERNREF, 'e'],
])
const WANTED_EXPORTS = new Set([
  'memory',
  // Only a command has it, and whoever built one is told so.
  '_start',
  ...Object.keys(REQUIRED_FUNCTIONS),
  ...Object.keys(OPTIONAL_FUNCTIONS),
])

/** More than the longest name that is looked for. */
const MAX_WANTED_BYTES = 32

/** Ids of sections in the order in which they stand; a custom one (0) may stand anywhere. */
const SECTION_ORDER = [1, 2, 3, 4, 5, 13, 6, 7, 8, 9, 12, 10, 11]
const SECTION_NAMES: Readonly<Record<number, string>> = {
  0: 'custom',
  1: 'type',
  2: 'import',
  3: 'function',
  4: 'table',
  5: 'memory',
  6: 'global',
  7: 'export',
  8: 'start',
  9: 'element',
  10: 'code',
  11: 'data',
  12: 'data count',
  13: 'tag',
}

type Mutable<Declared> = { -readonly [Key in keyof Declared]: Declared[Key] }
type Draft = Mutable<Omit<DeclaredModule, 'types' | 'imports' | 'tables' | 'memories' | 'exports'>> & {
  readonly types: string[]
  readonly imports: ModuleImport[]
  readonly tables: SizeLimits[]
  readonly memories: SizeLimits[]
  readonly exports: Map<string, { kind: ExternKind; index: number }>
}

/**
 * Reads what a core module declares. Its order of sections, and that none stands twice, is held here as V8 holds it, so
 * both read the same module.
 *
 * @param bytes with the header of a core module
 * @throws MalformedModule
 */
export function readModule(bytes: Uint8Array): DeclaredModule {
  const draft: Draft = {
    types: [],
    imports: [],
    functions: new Uint32Array(),
    tables: [],
    memories: [],
    exports: new Map(),
    hasStart: false,
    isUnlinked: false,
  }
  const reader = new BinaryReader(bytes, 'the module', { start: 8, end: bytes.length })
  let last = -1
  for (let sections = 1; reader.left > 0; sections += 1) {
    if (sections > MAX_SECTIONS) reader.fail(`it has more than ${MAX_SECTIONS} sections`)
    const id = reader.byte()
    const name = SECTION_NAMES[id] ?? reader.fail(`it has a section of the unknown kind ${id}`)
    if (id !== 0) {
      const place = SECTION_ORDER.indexOf(id)
      if (place <= last) reader.fail(`its ${name} section stands twice or in the wrong place`)
      last = place
    }
    const length = reader.u32()
    readSection(id, reader.part(`its ${name} section`, length), draft)
  }
  return draft
}

function readSection(id: number, section: BinaryReader, draft: Draft): void {
  if (id === 0) {
    const name = section.shortName(MAX_WANTED_BYTES)
    if (name === 'linking' || name?.startsWith('reloc.') === true) draft.isUnlinked = true
    return
  }
  const read = READERS[id]
  // Code, data and the like are for V8 to judge: they declare nothing that is asked for here.
  if (read === undefined) return
  read(section, draft)
  section.done()
}

const READERS: Readonly<Record<number, (section: BinaryReader, draft: Draft) => void>> = {
  1: readTypes,
  2: readImports,
  3: readFunctions,
  4: readTables,
  5: readMemories,
  7: readExports,
  8: readStart,
}

function readTypes(section: BinaryReader, { types }: Draft): void {
  let values = 0
  for (let left = section.count('types', MAX_TYPES, 3); left > 0; left -= 1) {
    if (section.byte() !== FUNC) {
      section.fail(
        'it declares a type that is no function (structs, arrays and recursion of the GC proposal)',
      )
    }
    const type = `${readValueTypes(section)}>${readValueTypes(section)}`
    values += type.length
    if (values > MAX_VALUES) section.fail('its types have too many values')
    types.push(type)
  }
}

function readValueTypes(section: BinaryReader): string {
  let values = ''
  for (let left = section.count('values of one type', MAX_TYPE_VALUES); left > 0; left -= 1) {
    values += VALUE_TYPES.get(section.byte()) ?? section.fail('a type has a value that is not allowed here')
  }
  return values
}

function readImports(section: BinaryReader, draft: Draft): void {
  const functions: number[] = []
  for (let left = section.count('imports', MAX_IMPORTS, 4); left > 0; left -= 1) {
    const module = section.name()
    const name = section.name()
    const kind = KINDS[section.byte()] ?? section.fail('it imports something of an unknown kind')
    const type = readImported(section, kind, draft)
    if (type !== null) functions.push(type)
    draft.imports.push({ module, name, kind, type })
  }
  draft.functions = Uint32Array.from(functions)
}

/** The type of a function; what else is imported is refused by its kind, whatever it is like. */
function readImported(section: BinaryReader, kind: ExternKind, draft: Draft): number | null {
  switch (kind) {
    case 'function':
      return readTypeIndex(section, draft)
    case 'table':
      readReferenceType(section)
      readLimits(section, 'table')
      return null
    case 'memory':
      readLimits(section, 'memory')
      return null
    case 'global':
      if (!VALUE_TYPES.has(section.byte())) section.fail('a global has a type that is not allowed here')
      section.byte()
      return null
    case 'tag':
      section.byte()
      readTypeIndex(section, draft)
      return null
  }
}

function readTypeIndex(section: BinaryReader, { types }: Draft): number {
  const index = section.u32()
  if (index >= types.length) section.fail(`a function has the type ${index}, and there are ${types.length}`)
  return index
}

function readFunctions(section: BinaryReader, draft: Draft): void {
  const imported = draft.functions
  const count = section.count('functions', MAX_FUNCTIONS)
  const functions = new Uint32Array(imported.length + count)
  functions.set(imported)
  for (let at = imported.length; at < functions.length; at += 1) functions[at] = readTypeIndex(section, draft)
  draft.functions = functions
}

function readTables(section: BinaryReader, { tables }: Draft): void {
  for (let left = section.count('tables', MAX_TABLES, 3); left > 0; left -= 1) {
    readReferenceType(section)
    tables.push(readLimits(section, 'table'))
  }
}

function readReferenceType(section: BinaryReader): void {
  const type = section.byte()
  if (type !== FUNCREF && type !== EXTERNREF)
    section.fail('a table is of a type that is not allowed here (functions and external references are)')
}

function readMemories(section: BinaryReader, { memories }: Draft): void {
  for (let left = section.count('memories', 1, 2); left > 0; left -= 1) {
    memories.push(readLimits(section, 'memory'))
  }
}

function readLimits(section: BinaryReader, what: 'table' | 'memory'): SizeLimits {
  const flags = section.byte()
  if ((flags & 2) !== 0) section.fail(`its ${what} is shared between threads`)
  if ((flags & 4) !== 0) section.fail(`its ${what} has addresses of 64 bits`)
  if (flags > 1) section.fail(`its ${what} has limits of an unknown kind`)
  return { min: section.u32(), max: flags === 1 ? section.u32() : null }
}

function readExports(section: BinaryReader, { exports }: Draft): void {
  for (let left = section.count('exports', MAX_EXPORTS, 3); left > 0; left -= 1) {
    const name = section.shortName(MAX_WANTED_BYTES)
    const kind = KINDS[section.byte()] ?? section.fail('it exports something of an unknown kind')
    const index = section.u32()
    if (name === null || !WANTED_EXPORTS.has(name)) continue
    if (exports.has(name)) section.fail(`it exports "${name}" twice`)
    exports.set(name, { kind, index })
  }
}

function readStart(section: BinaryReader, draft: Draft): void {
  section.u32()
  draft.hasStart = true
}
