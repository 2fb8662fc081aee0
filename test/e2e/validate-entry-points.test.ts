import fs from 'node:fs'
import { expect } from 'chai'
import { nativeMachine } from '../../host/native/machine-names.ts'
import type { PluginType } from '../../src/contract/life.ts'
import type { PluginValidation } from '../../src/contract/system-methods.ts'
import { CommandLine } from '../helpers/command-line.ts'
import { World } from '../helpers/daemon.ts'
import { elfFile } from '../helpers/elf-file.ts'
import { manifestText } from '../helpers/plugin-folders.ts'
import { skipBecause } from '../helpers/skip.ts'
import { binary, pluginModule, section, vector } from '../helpers/wasm-module.ts'

interface Wrong {
  /** What plugin.toml says instead of the type. */
  readonly written?: string
  readonly entry?: string
  /** Null where nothing is there. */
  readonly content: 'folder' | Uint8Array | null
  readonly mode?: number
  readonly words: RegExp
}

interface Case extends Wrong {
  readonly type: PluginType
  readonly what: string
}

const SCRIPT = Buffer.from('#!/usr/bin/python9\n')
const EMPTY = Buffer.alloc(0)
const MACHINE = nativeMachine()?.elfMachine ?? 62
const FOREIGN = MACHINE === 62 ? 183 : 62
/** Of two memories, and of a type of garbage collection. */
const TWO_MEMORIES = binary(
  section(
    5,
    vector([
      [0, 1],
      [0, 1],
    ]),
  ),
)
const WITH_STRUCT = binary(section(1, vector([[0x5f, 1, 0x7f, 0]])))

const ENTRIES: Readonly<Record<PluginType, string>> = {
  javascript: 'index.js',
  native: 'main',
  wasm: 'plugin.wasm',
}

/** By type and what is wrong: the words that `phantom validate` has for it. */
const WRONG: Readonly<Record<PluginType, Readonly<Record<string, Wrong>>>> = {
  javascript: {
    missing: {
      content: null,
      words: /"index\.js": it does not exist\. Name the file that the plugin starts from/,
    },
    folder: { content: 'folder', words: /"index\.js": it is a folder, expected a file/ },
    module: {
      entry: 'plugin.wasm',
      content: pluginModule(),
      words: /no JavaScript file.*, or type = "wasm"/,
    },
    language: {
      written: 'typescript',
      content: EMPTY,
      words: /plugin\.type.*"typescript".*Did you mean "javascript"\?/,
    },
  },
  native: {
    missing: { content: null, words: /"main": it does not exist\. Build the program, or name the file/ },
    folder: { content: 'folder', words: /"main": it is no regular file/ },
    run_bit: { content: SCRIPT, mode: 0o644, words: /"main": it has no run bit\. Set it: chmod \+x/ },
    machine: {
      content: elfFile({ machine: FOREIGN }),
      words: /it is for (?:x86-64|aarch64), this machine is/,
    },
    library: {
      content: elfFile({
        machine: MACHINE,
        loader: '/lib64/ld-linux-x86-64.so.2',
        needed: ['libnothing.so.9'],
      }),
      words: /needs the shared library "libnothing\.so\.9", which is not there|its loader .* is not there/,
    },
    interpreter: {
      content: SCRIPT,
      words: /its interpreter "\/usr\/bin\/python9" is not there\. Install it/,
    },
    text: {
      content: Buffer.from('print("hello")\n'),
      words: /neither a program nor a script with an interpreter/,
    },
    module: {
      entry: 'plugin.wasm',
      content: pluginModule(),
      words: /is a WebAssembly module.*, or type = "wasm"/,
    },
    language: { written: 'rust', content: EMPTY, words: /plugin\.type.*"rust".*Did you mean "native"\?/ },
  },
  wasm: {
    missing: { content: null, words: /"plugin\.wasm": it does not exist\. Build the module/ },
    folder: { content: 'folder', words: /"plugin\.wasm": it is a folder/ },
    text: {
      content: Buffer.from('(module)'),
      words: /it is WebAssembly as text\. Make a binary of it: wat2wasm/,
    },
    program: { content: elfFile(), words: /it is a native program \(ELF\)\. Say type = "native"/ },
    component: {
      content: Uint8Array.of(0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0),
      words: /it is a component, and WebAssembly components \(WASI 0\.2\) come with a later version/,
    },
    imports: {
      content: pluginModule({ imports: ['env abort iiii>'] }),
      words:
        /it imports "env\.abort" \(function\)\. Only functions of "wasi_snapshot_preview1" and "call" of/,
    },
    exports: {
      content: pluginModule({ exports: [] }),
      words: /it does not export "memory"\. Build it with the SDK/,
    },
    memories: { content: TWO_MEMORIES, words: /it has 2 memories, at most 1 are allowed/ },
    gc_types: { content: WITH_STRUCT, words: /it declares a type that is no function .*GC proposal/ },
    javascript: {
      entry: 'index.js',
      content: EMPTY,
      words: /no WebAssembly module.*, or type = "javascript"/,
    },
  },
}

describe('phantom validate of entry points', function () {
  this.timeout(60_000)
  let world: World
  let validations: PluginValidation[]
  const cases: Case[] = Object.entries(WRONG).flatMap(([type, wrong]) =>
    Object.entries(wrong).map(([what, one]) => ({ ...one, type: type as PluginType, what })),
  )

  before(async () => {
    world = new World()
    // Where no daemon looks for plugins.
    const folders = cases.map((one) => `apart/${one.type}_${one.what}`)
    cases.forEach((one, at) => writePlugin(world, folders[at]!, one))
    const phantom = new CommandLine(world.folder)
    const { code, stdout, stderr } = await phantom.run(['validate', '--json', ...folders])
    expect(code, stderr).to.equal(8)
    validations = JSON.parse(stdout) as PluginValidation[]
  })
  after(() => world.remove())

  for (const [at, { type, what, words }] of cases.entries()) {
    it(`names what is wrong: ${type}, ${what}`, function () {
      // Where no native plugin runs, nobody looks at one.
      if (type === 'native' && nativeMachine() === null)
        skipBecause.call(this, `no native plugin runs on ${process.arch}`)
      const { valid, issues } = validations[at]!
      expect(valid).to.equal(false)
      expect(issues.map(({ message }) => message)).to.have.lengthOf(1)
      expect(issues[0]!.message).to.match(words)
      const line = issues[0]!.message.includes('plugin.type') ? 5 : 6
      expect([issues[0]!.line, issues[0]!.severity]).to.deep.equal([line, 'error'])
    })
  }
})

function writePlugin(world: World, folder: string, one: Case): void {
  const { type, what, content, entry = ENTRIES[type], mode = 0o755 } = one
  const manifest = manifestText(`${type}_${what}`)
  world.write(
    `${folder}/plugin.toml`,
    manifest.replace('"javascript"', JSON.stringify(one.written ?? type)).replace('index.js', entry),
  )
  if (content === 'folder') fs.mkdirSync(world.path(folder, entry))
  else if (content !== null) {
    world.write(`${folder}/${entry}`, Buffer.from(content))
    fs.chmodSync(world.path(folder, entry), mode)
  }
}
