import { gzipSync } from 'node:zlib'
import { expect } from 'chai'
import {
  HOST_MODULE,
  MAX_MODULE_BYTES,
  WASI_FUNCTIONS,
  WASI_MODULE,
} from '../../../../src/contract/wasm/abi.ts'
import { inspectModule } from '../../../../src/contract/wasm/inspect-module.ts'
import {
  ABI_FUNCTIONS,
  binary,
  flat,
  functionType,
  leb,
  name,
  pluginModule,
  section,
  vector,
  type ModuleParts,
  type Part,
} from '../../../helpers/wasm-module.ts'

const LIMITS = { maxMemoryPages: 256, maxTableElements: 1000 }

function problemsOf(bytes: Uint8Array, limits = LIMITS): string[] {
  return inspectModule(bytes, limits).problems.map(({ problem, remedy }) => `${problem}. ${remedy}`)
}

function only(bytes: Uint8Array): string {
  const [problem = '', ...more] = problemsOf(bytes)
  expect(more).to.deep.equal([])
  return problem
}

/** The raw import section of one import, for what `moduleOf` does not make. */
function importing(module: string, own: string, descriptor: Part): Uint8Array {
  return binary(
    section(1, vector([functionType('>')])),
    section(2, vector([[name(module), name(own), descriptor]])),
  )
}

describe('inspectModule() on what a file is', () => {
  const files: readonly (readonly [string, Uint8Array | string, RegExp])[] = [
    ['an empty file', '', /^it is empty\./],
    ['text', '(module (memory 1))', /^it is WebAssembly as text\. .*wat2wasm/],
    ['text behind comments', '\n ;; (module\n(; x ;)', /^it is WebAssembly as text/],
    [
      'a native program',
      Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, 2, 1, 1),
      /^it is a native program \(ELF\)\. .*"native"/,
    ],
    ['what gzip packed', gzipSync(pluginModule()), /^it is compressed \(gzip\)\. Unpack it/],
    ['a zip archive', 'PK\u0003\u0004', /^it is a zip archive/],
    ['a static library', '!<arch>\n', /^it is a static library\. Link it/],
    ['a script', '#!/bin/sh\n', /^it is a script/],
    ['JavaScript', 'export default 1', /^it is not WebAssembly/],
    ['half a header', Uint8Array.of(0, 0x61, 0x73, 0x6d, 1), /^it ends within its header/],
    [
      'a component',
      Uint8Array.of(0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0),
      /^it is a component, and WebAssembly components \(WASI 0\.2\) come with a later version\. Build a core module/,
    ],
    ['a later version', Uint8Array.of(0, 0x61, 0x73, 0x6d, 2, 0, 0, 0), /of the unknown version 2, layer 0/],
  ]
  for (const [what, content, words] of files) {
    it(`tells ${what}`, () => {
      expect(only(typeof content === 'string' ? new TextEncoder().encode(content) : content)).to.match(words)
    })
  }

  it('refuses a module that is larger than what is read', () => {
    const bytes = new Uint8Array(MAX_MODULE_BYTES + 1)
    bytes.set(pluginModule())
    expect(only(bytes)).to.match(/^it has 67108865 bytes, at most 67108864 are allowed/)
  })

  it('tells an object file that was not linked', () => {
    expect(only(binary(section(0, [name('linking'), 2])))).to.match(/never linked\. Link it with wasm-ld/)
  })
})

describe('inspectModule() on imports', () => {
  it('takes every function of WASI preview 1 and the host call', () => {
    const imports = Object.entries(WASI_FUNCTIONS).map(
      ([own, signature]) => `${WASI_MODULE} ${own} ${signature}`,
    )
    const bytes = pluginModule({ imports: [...imports, `${HOST_MODULE} call ii>I`] })
    const { facts, problems } = inspectModule(bytes, LIMITS)
    expect(problems).to.deep.equal([])
    expect(facts?.imports).to.have.length(47)
    expect(WebAssembly.validate(bytes)).to.equal(true)
  })

  it('names each import that nobody serves, with its kind, and what may be imported', () => {
    const bytes = pluginModule({
      imports: [
        'env abort iiii>',
        `${WASI_MODULE} fd_teleport >i`,
        'wasi:sockets/tcp bind i>i',
        `${HOST_MODULE} exec >`,
      ],
    })
    expect(only(bytes)).to.equal(
      'it imports "env.abort" (function), "wasi_snapshot_preview1.fd_teleport" (function), ' +
        '"wasi:sockets/tcp.bind" (function), "phantom:host/v1.exec" (function). Only functions of ' +
        '"wasi_snapshot_preview1" and "call" of "phantom:host/v1" can be imported: build without what needs it',
    )
  })

  const others: readonly (readonly [string, Part])[] = [
    ['memory', [2, 0, 1]],
    ['table', [1, 0x70, 0, 1]],
    ['global', [3, 0x7f, 0]],
    ['tag', [4, 0, 0]],
  ]
  for (const [kind, descriptor] of others) {
    it(`refuses a ${kind} under a name that is served as a function`, () => {
      const [first] = problemsOf(importing(WASI_MODULE, 'fd_write', descriptor))
      expect(first).to.include(`it imports "wasi_snapshot_preview1.fd_write" (${kind})`)
    })
  }

  it('counts what does not fit into a message', () => {
    const bytes = pluginModule({ imports: Array.from({ length: 40 }, (_one, at) => `env f${at} >`) })
    expect(only(bytes)).to.match(/"env\.f15" \(function\) and 24 more\./)
  })

  it('quotes hostile names', () => {
    const bytes = importing('\u001b[2J\u202e', 'x'.repeat(5000), [0, 0])
    const [first = ''] = problemsOf(bytes)
    expect(first).to.include('\\u001b[2J\\u202e').and.to.have.length.below(300)
  })

  it('says how a function of WASI is spelt when it is imported with another signature', () => {
    expect(only(pluginModule({ imports: [`${WASI_MODULE} fd_seek iiii>i`] }))).to.match(
      /^it imports "wasi_snapshot_preview1\.fd_seek" as \(i32, i32, i32, i32\) -> i32, expected \(i32, i64, i32, i32\) -> i32/,
    )
  })
})

describe('inspectModule() on exports', () => {
  it('takes the smallest plugin there is, with and without _initialize', () => {
    const facts = { imports: [], memory: { min: 1, max: null } }
    expect(inspectModule(pluginModule(), LIMITS).facts).to.deep.equal({ ...facts, hasInitialize: false })
    const initialized = pluginModule({ functions: { ...ABI_FUNCTIONS, _initialize: ['>', []] } })
    expect(inspectModule(initialized, LIMITS).facts).to.deep.equal({ ...facts, hasInitialize: true })
  })

  it('names all that are missing, and tells a command from a reactor', () => {
    expect(only(pluginModule({ functions: {}, exports: [] }))).to.match(
      /^it does not export "memory", "phantom_abi_version", "phantom_alloc", "phantom_free", "phantom_handle"\. Build it with the SDK/,
    )
    expect(only(pluginModule({ functions: { _start: ['>', []] } }))).to.match(
      /It is a command .*-mexec-model=reactor/,
    )
  })

  it('says what an export is and what it should be', () => {
    const functions = {
      ...ABI_FUNCTIONS,
      phantom_handle: ['ii>i', [0x41, 0]] as const,
      _initialize: ['>i', [0x41, 0]] as const,
    }
    expect(only(pluginModule({ functions }))).to.match(
      /^it exports "phantom_handle" as \(i32, i32\) -> i32, expected \(i32, i32\) -> i64, "_initialize" as \(\) -> i32, expected \(\)\./,
    )
    const swapped: ModuleParts['exports'] = [['memory', 'function', 0]]
    expect(only(pluginModule({ exports: swapped }))).to.match(/"memory" as a function, expected a memory/)
  })

  it('refuses a function that is not there, and a name that stands twice', () => {
    const { phantom_free: _free, ...functions } = ABI_FUNCTIONS
    expect(
      only(
        pluginModule({
          functions,
          exports: [
            ['memory', 'memory', 0],
            ['phantom_free', 'function', 99],
          ],
        }),
      ),
    ).to.match(/"phantom_free" as a function that is not there/)
    expect(
      only(
        pluginModule({
          exports: [
            ['memory', 'memory', 0],
            ['memory', 'memory', 0],
          ],
        }),
      ),
    ).to.match(/it exports "memory" twice/)
  })

  it('refuses a start section, and names what takes its place', () => {
    expect(
      only(pluginModule({ start: 2, functions: { ...ABI_FUNCTIONS, _initialize: ['>', []] } })),
    ).to.match(
      /^it has a start section\. Export what it does as "_initialize" \(AssemblyScript: --exportStart _initialize\)/,
    )
  })
})

describe('inspectModule() on memory, tables and types', () => {
  it('says how much a module needs, and which line would give it', () => {
    expect(only(pluginModule({ memoryPages: 257 }))).to.equal(
      'its memory begins with 17 MB, and the limit is 16. Set max_memory_mb = 17 or more under [resource_limits], or build it with less',
    )
    expect(problemsOf(pluginModule({ memoryPages: 256 }))).to.deep.equal([])
    expect(only(pluginModule({ tableElements: 1001 }))).to.match(
      /tables begin with 1001 elements, and the limit is 1000/,
    )
    expect(problemsOf(pluginModule({ tableElements: 1000 }))).to.deep.equal([])
  })

  const table: Part = [0x70, 0, 1]
  const sections: readonly (readonly [string, number, Part, RegExp])[] = [
    [
      'several memories',
      5,
      vector([
        [0, 1],
        [0, 1],
      ]),
      /^it has 2 memories, at most 1 are allowed/,
    ],
    ['a shared memory', 5, vector([[3, 1, 1]]), /^its memory is shared between threads/],
    ['a memory of 64 bits', 5, vector([[4, 1]]), /^its memory has addresses of 64 bits/],
    [
      'a memory with pages of its own size',
      5,
      vector([[8, 1, 0]]),
      /^its memory has limits of an unknown kind/,
    ],
    ['many tables', 4, vector([table, table, table, table, table]), /^it has 5 tables, at most 4/],
    ['a table of 64 bits', 4, vector([[0x70, 4, 1]]), /^its table has addresses of 64 bits/],
    [
      'a table that begins with a value',
      4,
      vector([[0x40, 0, 0x70, 0, 1, 0xd0, 0x70, 0x0b]]),
      /^a table is of a type/,
    ],
    ['a table of typed references', 4, vector([[0x63, 0, 0, 1]]), /^a table is of a type/],
    ['a recursive group', 1, vector([[0x4e, 1, 0x60, 0, 0]]), /^it declares a type that is no function .*GC/],
    ['a struct', 1, vector([[0x5f, 1, 0x7f, 0]]), /GC proposal/],
    ['an array', 1, vector([[0x5e, 0x7f, 0]]), /GC proposal/],
    ['a subtype', 1, vector([[0x50, 0, 0x60, 0, 0]]), /GC proposal/],
    [
      'a function that takes a reference of GC',
      1,
      vector([[0x60, 1, 0x6e, 0]]),
      /a value that is not allowed here/,
    ],
    [
      'a type of a thousand and one values',
      1,
      vector([[0x60, leb(1001), Array<number>(1001).fill(0x7f), 0]]),
      /at most 1000/,
    ],
  ]
  for (const [what, id, content, words] of sections) {
    it(`refuses ${what}`, () => expect(only(binary(section(id, content)))).to.match(words))
  }
})

describe('inspectModule() on broken binaries', () => {
  const broken: readonly (readonly [string, Uint8Array, RegExp])[] = [
    [
      'a section that is longer than the file',
      binary(1, 100, 1),
      /^the module ends too early \(at byte 10\)/,
    ],
    ['entries that are not there', binary(section(1, [200, 1])), /^its type section ends too early/],
    [
      'bytes behind the entries',
      binary(section(5, [1, 0, 1, 7])),
      /^its memory section has 1 bytes too many/,
    ],
    [
      'a length beyond 32 bits',
      binary(5, 0xff, 0xff, 0xff, 0xff, 0x1f),
      /^a number in the module is longer than 32 bits/,
    ],
    ['a number that does not end', binary(section(5, Array<number>(9).fill(0x80))), /longer than 32 bits/],
    [
      'a section that stands twice',
      binary(section(5, [1, 0, 1]), section(5, [1, 0, 1])),
      /memory section stands twice/,
    ],
    [
      'sections in the wrong order',
      binary(section(5, [1, 0, 1]), section(1, [0])),
      /type section stands twice or in/,
    ],
    ['a section of an unknown kind', binary(section(14, [])), /a section of the unknown kind 14/],
    ['a name that is not UTF-8', binary(section(0, [1, 0xff])), /a name in its custom section is not UTF-8/],
    ['a name without end', binary(section(0, [leb(200_000), Array<number>(10).fill(0)])), /has 200000 bytes/],
    ['a function of a type that is not there', binary(section(3, [1, 0])), /has the type 0, and there are 0/],
    [
      'more functions than V8 takes',
      binary(section(3, leb(1_000_001))),
      /1000001 functions, at most 1000000/,
    ],
    [
      'an import of an unknown kind',
      binary(section(2, [1, name('a'), name('b'), 9, 0])),
      /imports something of an unknown kind/,
    ],
  ]
  for (const [what, bytes, words] of broken) {
    it(`says where it found ${what}`, () => expect(only(bytes)).to.match(words))
  }

  it('is done in no time with what was made to take long', () => {
    const largest = (repeated: Part, before: Part = []): Uint8Array => {
      const bytes = new Uint8Array(MAX_MODULE_BYTES)
      const head = binary(before)
      const piece = Uint8Array.from(flat(repeated))
      bytes.set(head)
      for (let at = head.length; at + piece.length <= bytes.length; at += piece.length) bytes.set(piece, at)
      return bytes
    }
    const whole = leb(MAX_MODULE_BYTES - 17)
    const slow: readonly Uint8Array[] = [
      largest([0, 1, 0]),
      largest([0x60, 0, 0], [1, whole, leb(10_000)]),
      largest([0x60, leb(999), Array<number>(999).fill(0x7f), 0], [1, whole, leb(10_000)]),
      largest([leb(650), Array<number>(650).fill(0x61), 2, 0], [7, whole, leb(100_000)]),
      largest(
        [0x80, 0x80, 0x80, 0x80, 0],
        [section(1, vector([functionType('>')])), 3, leb(MAX_MODULE_BYTES - 23), leb(1_000_000)],
      ),
    ]
    for (const bytes of slow) {
      const start = performance.now()
      expect(problemsOf(bytes)).to.have.length(1)
      expect(performance.now() - start).to.be.below(2000)
    }
  })

  it('makes a text of no more of a name than it may be asked for', () => {
    // Each of them would be a text of 100 KB, half a second of them in all.
    const long = [leb(100_000), Array<number>(100_000).fill(0xff)]
    const module = pluginModule({ before: { 7: section(0, long) } })
    expect(problemsOf(module)).to.deep.equal([])
    const [problem] = problemsOf(pluginModule({ imports: [`env ${'x'.repeat(90_000)} >`] }))
    expect(problem).to.match(/^it imports "env\.x{76}…" \(function\)\./)
  })

  it('takes numbers that are longer than they need to be, as V8 does', () => {
    const padded = pluginModule({ before: { 5: [0, [0x85, 0x80, 0x80, 0x80, 0], name('x'), 1, 2, 3] } })
    expect(problemsOf(padded)).to.deep.equal([])
    expect(WebAssembly.validate(padded)).to.equal(true)
  })

  it('reads nothing beside the bytes that it was given', () => {
    const whole = pluginModule()
    for (let length = 8; length < whole.length; length += 1) {
      const inside = whole.subarray(0, length)
      expect(problemsOf(inside), String(length)).to.deep.equal(problemsOf(Uint8Array.from(inside)))
      // Where the code was cut off whole, V8 misses it.
      if (problemsOf(inside).length === 0)
        expect(WebAssembly.validate(inside), String(length)).to.equal(false)
    }
  })
})
