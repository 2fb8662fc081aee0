/** Makes WebAssembly modules of their parts, well formed or not. */

export type Part = number | readonly Part[] | string | Uint8Array

const MAGIC_AND_VERSION = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]
const VALUES: Readonly<Record<string, number>> = { i: 0x7f, I: 0x7e, f: 0x7d, F: 0x7c }
const KINDS = ['function', 'table', 'memory', 'global', 'tag']

export function leb(value: number): number[] {
  const low = value % 128
  return value < 128 ? [low] : [low + 128, ...leb(Math.floor(value / 128))]
}

/** A text with its length before it. */
export function name(text: string): number[] {
  return flat(sized([...new TextEncoder().encode(text)]))
}

/** Entries with their number before them. */
export function vector(entries: readonly Part[]): Part[] {
  return [leb(entries.length), ...entries]
}

export function flat(part: Part): number[] {
  if (typeof part === 'number') return [part]
  if (typeof part === 'string') return [...new TextEncoder().encode(part)]
  if (part instanceof Uint8Array) return [...part]
  return part.flatMap(flat)
}

export function section(id: number, content: Part): Part {
  const bytes = flat(content)
  return [id, leb(bytes.length), bytes]
}

export function binary(...sections: Part[]): Uint8Array {
  return Uint8Array.from(flat([MAGIC_AND_VERSION, ...sections]))
}

/** `ii>I`, as in `src/contract/wasm/abi.ts`. */
export function functionType(signature: string): Part {
  const [parameters = '', results = ''] = signature.split('>')
  const values = (letters: string): Part => vector(Array.from(letters, (letter) => VALUES[letter] ?? 0))
  return [0x60, values(parameters), values(results)]
}

export interface ModuleParts {
  /** `module name signature`, functions all. */
  readonly imports?: readonly string[]
  /** Functions to export: their signature and the instructions of their body; `[]` for those that give nothing. */
  readonly functions?: Readonly<Record<string, readonly [signature: string, body: Part, locals?: Part]>>
  readonly memoryPages?: number
  readonly tableElements?: number
  /** Put between sections that are made of the above. */
  readonly before?: Readonly<Record<number, Part>>
  /** Of exports beside the functions: `[name, kind, index]`. */
  readonly exports?: readonly (readonly [string, string, number])[]
  /** Index of a function that runs at once. */
  readonly start?: number
  readonly data?: readonly (readonly [offset: number, bytes: Part])[]
}

/** A module of the parts that are given. Each function has a type of its own. */
function moduleOf(parts: ModuleParts): Uint8Array {
  const imports = (parts.imports ?? []).map((one) => one.split(' '))
  const functions = Object.entries(parts.functions ?? {})
  const signatures = [
    ...imports.map(([, , signature = '>']) => signature),
    ...functions.map(([, [signature]]) => signature),
  ]
  const exported: Part[] = functions.map(([own], index) => [name(own), 0, leb(imports.length + index)])
  for (const [own, kind, index] of parts.exports ?? [])
    exported.push([name(own), KINDS.indexOf(kind), leb(index)])
  const bodies = functions.map(([, [, body, locals = []]]): Part => {
    const code = flat([vector(locals as Part[]), body, 0x0b])
    return [leb(code.length), code]
  })
  const sections: readonly (readonly [number, Part] | null)[] = [
    [1, vector(signatures.map(functionType))],
    [2, vector(imports.map(([module = '', own = ''], index) => [name(module), name(own), 0, leb(index)]))],
    [3, vector(functions.map((_one, index) => leb(imports.length + index)))],
    parts.tableElements === undefined ? null : [4, vector([[0x70, 0, leb(parts.tableElements)]])],
    parts.memoryPages === undefined ? null : [5, vector([[0, leb(parts.memoryPages)]])],
    [7, vector(exported)],
    parts.start === undefined ? null : [8, leb(parts.start)],
    [10, vector(bodies)],
    parts.data === undefined
      ? null
      : [
          11,
          vector(parts.data.map(([offset, bytes]) => [0, 0x41, signedLeb(offset), 0x0b, sized(flat(bytes))])),
        ],
  ]
  return binary(
    ...sections.flatMap((one) =>
      one === null
        ? []
        : [...(parts.before?.[one[0]] === undefined ? [] : [parts.before[one[0]]!]), section(...one)],
    ),
  )
}

/** For `i32.const`. */
function signedLeb(value: number): number[] {
  const low = value & 0x7f
  const rest = value >> 7
  const isLast = (rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0)
  return isLast ? [low] : [low | 0x80, ...signedLeb(rest)]
}

function sized(bytes: readonly number[]): Part {
  return [leb(bytes.length), bytes]
}

const RETURN_ONE: Part = [0x41, 1]
/** What "phantom-wasm v1" asks for, as small as it can be. */
export const ABI_FUNCTIONS: NonNullable<ModuleParts['functions']> = {
  phantom_abi_version: ['>i', RETURN_ONE],
  phantom_alloc: ['i>i', RETURN_ONE],
  phantom_free: ['ii>', []],
  phantom_handle: ['ii>I', [0x42, 0]],
}

/** A module that is in order, or that differs from one by what is given. */
export function pluginModule(parts: ModuleParts = {}): Uint8Array {
  return moduleOf({
    memoryPages: 1,
    exports: [['memory', 'memory', 0]],
    functions: ABI_FUNCTIONS,
    ...parts,
  })
}
