import fs from 'node:fs'
import path from 'node:path'
import { CONFORMANCE, openCargo } from '../helpers/cargo.ts'
import { skipBecause } from '../helpers/skip.ts'

/** One implementation of the conformance plugin. */
export interface Subject {
  readonly name: string
  /** Its id, as plugins have it. */
  readonly id: string
  readonly type: 'javascript' | 'native' | 'wasm'
  readonly entryPoint: string
  /** Puts its file into the plugin's folder. Skips the suite, in words, where it can't be had. */
  place(folder: string, context: Mocha.Context): Promise<void>
}

const PLUGINS = path.join(import.meta.dirname, 'plugins')

export const SUBJECTS: readonly Subject[] = [
  {
    name: 'JavaScript',
    id: 'in_javascript',
    type: 'javascript',
    entryPoint: 'index.js',
    place: async (folder) => copy('javascript/index.js', folder, 'index.js'),
  },
  {
    name: 'Rust',
    id: 'in_rust',
    type: 'native',
    entryPoint: 'main',
    async place(folder, context) {
      const cargo = await openCargo(context)
      await cargo.run(CONFORMANCE, 'build', '--release', '--bin', 'main')
      fs.copyFileSync(path.join(cargo.built, 'main'), path.join(folder, 'main'))
    },
  },
  {
    name: 'Python',
    id: 'in_python',
    type: 'native',
    entryPoint: 'main',
    async place(folder, context) {
      if (!fs.existsSync('/usr/bin/python3')) skipBecause.call(context, 'there is no /usr/bin/python3')
      copy('python/main', folder, 'main')
    },
  },
  ...(
    [
      ['Rust as WASM', 'in_rust_wasm', 'rust-wasm'],
      ['AssemblyScript', 'in_assemblyscript', 'assemblyscript'],
      ['C as WASM', 'in_c_wasm', 'c'],
    ] as const
  ).map(([name, id, source]): Subject => ({
    name,
    id,
    type: 'wasm',
    entryPoint: 'plugin.wasm',
    place: async (folder) => copy(`${source}/plugin.wasm`, folder, 'plugin.wasm'),
  })),
]

function copy(from: string, folder: string, name: string): void {
  fs.copyFileSync(path.join(PLUGINS, from), path.join(folder, name))
}
