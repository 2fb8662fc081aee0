import { expect } from 'chai'
import * as fc from 'fast-check'
import { inspectModule } from '../../src/contract/wasm/inspect-module.ts'
import { fuzz } from '../helpers/fuzz.ts'
import { ABI_FUNCTIONS, flat, leb, pluginModule, section } from '../helpers/wasm-module.ts'

const LIMITS = { maxMemoryPages: 64, maxTableElements: 100 }

/** Whole modules, for a piece of them to be changed. */
const SEEDS = [
  pluginModule(),
  pluginModule({
    imports: ['wasi_snapshot_preview1 fd_write iiii>i', 'phantom:host/v1 call ii>I', 'env x >'],
    tableElements: 3,
    functions: { ...ABI_FUNCTIONS, _initialize: ['>', []] },
    data: [[8, 'hello']],
  }),
  pluginModule({ start: 2, memoryPages: 65 }),
]
/** Bytes that mean something somewhere in a module. */
const TELLING = [0, 1, 2, 3, 4, 5, 7, 8, 0x0b, 0x40, 0x4e, 0x60, 0x63, 0x6f, 0x70, 0x7f, 0x80, 0xff]
const byte = fc.oneof(fc.constantFrom(...TELLING), fc.nat(255))
const change = fc.tuple(fc.nat(4000), fc.nat(3), fc.array(byte, { maxLength: 4 }))

const mutated = fc
  .tuple(fc.constantFrom(...SEEDS), fc.array(change, { minLength: 1, maxLength: 4 }))
  .map(([seed, changes]) => {
    const bytes = [...seed]
    for (const [at, removed, put] of changes) bytes.splice(8 + (at % (bytes.length - 7)), removed, ...put)
    return Uint8Array.from(bytes)
  })

/** Sections of the right length with anything inside, and of any length. */
const composed = fc
  .array(
    fc.oneof(
      fc
        .tuple(fc.nat(14), fc.array(byte, { maxLength: 24 }))
        .map(([id, content]) => flat(section(id, content))),
      fc
        .tuple(fc.nat(14), fc.nat(2 ** 32), fc.array(byte, { maxLength: 8 }))
        .map(([id, length, content]) => [id, ...leb(length), ...content]),
    ),
    { maxLength: 6 },
  )
  .map((parts) => Uint8Array.from([...SEEDS[0]!.subarray(0, 8), ...parts.flat()]))

const anything = fc.oneof(
  { weight: 6, arbitrary: mutated },
  { weight: 3, arbitrary: composed },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 64 }) },
)

describe('a hostile WebAssembly module', function () {
  this.timeout(60_000)

  it('is refused in words or read as V8 reads it, whatever its bytes', () => {
    let accepted = 0
    fuzz(
      fc.property(anything, (bytes) => {
        const inspection = inspectModule(bytes, LIMITS)
        const text = inspection.problems.map(({ problem, remedy }) => `${problem}. ${remedy}`).join('\n')
        expect(text.length).to.be.lessThan(20_000)
        expect(text).to.not.match(/undefined|NaN|[\0-\u0009\u000b-\u001f]/)
        if (inspection.facts === null) return
        accepted += 1
        expectAsV8(bytes, inspection.facts)
      }),
    )
    expect(accepted).to.be.greaterThan(50)
  })

  it('is read from its own bytes alone', () => {
    fuzz(
      fc.property(anything, fc.nat(16), (bytes, before) => {
        const around = new Uint8Array(before + bytes.length + 64).fill(1)
        around.set(bytes, before)
        const inside = around.subarray(before, before + bytes.length)
        expect(inspectModule(inside, LIMITS)).to.deep.equal(inspectModule(bytes, LIMITS))
      }),
    )
  })
})

function expectAsV8(bytes: Uint8Array, facts: { readonly imports: readonly string[] }): void {
  let module: WebAssembly.Module
  try {
    module = new WebAssembly.Module(bytes)
  } catch (error) {
    if (error instanceof WebAssembly.CompileError) return
    throw error
  }
  const imports = WebAssembly.Module.imports(module).map((one) => `${one.module}.${one.name}`)
  expect([...new Set(imports)]).to.deep.equal(facts.imports)
  const kinds = new Map(WebAssembly.Module.exports(module).map((one) => [one.name, one.kind]))
  expect(kinds.get('memory')).to.equal('memory')
  for (const own of Object.keys(ABI_FUNCTIONS)) expect(kinds.get(own), own).to.equal('function')
  const { memory } = new WebAssembly.Instance(module, served(module)).exports
  expect((memory as WebAssembly.Memory).buffer.byteLength).to.be.at.most(LIMITS.maxMemoryPages * 65_536)
}

function served(module: WebAssembly.Module): WebAssembly.Imports {
  const imports: WebAssembly.Imports = {}
  for (const { module: from, name } of WebAssembly.Module.imports(module)) {
    imports[from] = { ...imports[from], [name]: () => 0 }
  }
  return imports
}
