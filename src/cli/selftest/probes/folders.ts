import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { isPhantomError } from '../../../contract/phantom-error.ts'
import type { Arena, ArenaPlaces } from '../arena.ts'
import { attackerManifest, NEIGHBOUR, pluginHead, pluginId } from '../attackers.ts'
import { defineProbe } from '../define-probe.ts'
import type { AttackerName, Finding, Probe } from '../probe.ts'

const CODE = "export default { operations: { run: () => 'ran' } }\n"
/** The daemon may take its time over a hostile folder; the neighbour must not. */
const PATIENCE_MS = 8_000
const PROMPT_MS = 1_500

interface Trap {
  readonly id: string
  readonly tries: string
  readonly make: (folder: string, places: ArenaPlaces) => void
}

const TRAPS: readonly Trap[] = [
  {
    id: 'pipe',
    tries: 'has a pipe among its files, on which a reader would wait for ever',
    make: (folder) => pipe(folder, 'data.txt'),
  },
  {
    id: 'entry-pipe',
    tries: 'has a pipe as its entry point',
    make: (folder) => (fs.rmSync(path.join(folder, 'index.js')), pipe(folder, 'index.js')),
  },
  {
    id: 'manifest-pipe',
    tries: 'has a pipe as its manifest',
    make: (folder) => (fs.rmSync(path.join(folder, 'plugin.toml')), pipe(folder, 'plugin.toml')),
  },
  {
    id: 'loop',
    tries: 'has links in its folder that lead round in a circle and to its parents',
    make: (folder) => {
      fs.symlinkSync('.', path.join(folder, 'self'))
      fs.symlinkSync('..', path.join(folder, 'parent'))
      fs.symlinkSync('two', path.join(folder, 'one'))
      fs.symlinkSync('one', path.join(folder, 'two'))
      fs.symlinkSync('/', path.join(folder, 'root'))
    },
  },
  {
    id: 'setuid',
    tries: 'ships a program with the setuid bit, and one that everybody may write',
    make: (folder) => {
      fs.writeFileSync(path.join(folder, 'program'), '#!/bin/sh\nid\n', { mode: 0o777 })
      fs.chmodSync(path.join(folder, 'program'), 0o6777)
    },
  },
  {
    id: 'names',
    tries: 'has file names with line breaks, quotes, options and 200 levels of folders',
    make: (folder) => {
      for (const name of ['--bind', 'a\nb', '"; rm -rf x', '$(id)', '\u202etxt'])
        fs.writeFileSync(path.join(folder, name), '')
      fs.mkdirSync(path.join(folder, ...Array.from({ length: 200 }, () => 'deep')), { recursive: true })
    },
  },
  {
    id: 'sparse',
    tries: 'ships a sparse file of 1 TB',
    make: (folder) => {
      fs.writeFileSync(path.join(folder, 'large.bin'), '')
      fs.truncateSync(path.join(folder, 'large.bin'), 2 ** 40)
    },
  },
  {
    id: 'types',
    tries: 'ships TypeScript that is nested 50,000 deep',
    make: (folder) => {
      fs.writeFileSync(
        path.join(folder, 'plugin.toml'),
        pluginHead(path.basename(folder)).replace('index.js', 'index.ts'),
      )
      fs.writeFileSync(
        path.join(folder, 'index.ts'),
        `const x = ${'('.repeat(50_000)}1${')'.repeat(50_000)}\n${CODE}`,
      )
    },
  },
]

export const FOLDER_PROBES: readonly Probe[] = [
  ...TRAPS.map((trap) => trapProbe(trap)),
  defineProbe({
    id: 'reload-wider',
    area: 'manifest',
    tries: 'comes back from a reload with a manifest that asks for more',
    plugins: ['granted'],
    run: comesBackWider,
  }),
  defineProbe({
    id: 'swap-data',
    area: 'links',
    tries: 'finds its data_dir swapped for a link to outside when it starts anew',
    plugins: ['bare'],
    spoils: true,
    run: (arena) => swapped(arena, 'bare', arena.places.dataOf(pluginId('bare'))),
  }),
  defineProbe({
    id: 'swap-grant',
    area: 'links',
    tries: 'finds a folder that it may write swapped for a link to outside when it starts anew',
    plugins: ['granted'],
    spoils: true,
    run: (arena) => swapped(arena, 'granted', path.join(arena.places.workspace, 'out')),
  }),
]

function trapProbe({ id, tries, make }: Trap): Probe {
  const name = `trap_${id.replaceAll('-', '_')}`
  return defineProbe({
    id: `folder-${id}`,
    area: 'manifest',
    tries,
    prepare: (places) => {
      const folder = places.folderOf(name)
      fs.mkdirSync(folder, { recursive: true })
      fs.writeFileSync(path.join(folder, 'plugin.toml'), pluginHead(name))
      fs.writeFileSync(path.join(folder, 'index.js'), CODE)
      make(folder, places)
    },
    run: async (arena) => {
      const startedMs = performance.now()
      const call = outcomeOf(arena.system.execute_plugin(name, 'run', null, { timeout_ms: PATIENCE_MS }))
      const prompt = performance.now()
      await arena.system.execute_plugin(NEIGHBOUR, 'ping')
      const waitedMs = Math.round(performance.now() - prompt)
      const found = `${await call} after ${Math.round(performance.now() - startedMs)} ms; the neighbour waited ${waitedMs} ms`
      return { verdict: waitedMs < PROMPT_MS && !found.startsWith('CALL_TIMEOUT') ? 'held' : 'open', found }
    },
  })
}

async function comesBackWider(arena: Arena): Promise<Finding> {
  const { places, system } = arena
  const manifest = path.join(places.folderOf(pluginId('granted')), 'plugin.toml')
  const text = attackerManifest('granted', arena.listeners)
  await system.execute_plugin(pluginId('granted'), 'ping')
  fs.writeFileSync(manifest, text.replace('"fs_read:./given"', '"fs_read:./given", "fs_read:./private.txt"'))
  try {
    const reload = await outcomeOf(system.reload_plugin(pluginId('granted')))
    const paths = [path.join(places.workspace, 'private.txt')]
    const tries = await arena.attack('granted', 'read', { paths, ways: ['readFileSync'] })
    const got = tries.find(({ control, got: what }) => !control && what !== null)
    return got === undefined
      ? { verdict: 'held', found: `the reload ended as ${reload}, and the old generation serves` }
      : { verdict: 'open', found: 'the wider right was held' }
  } finally {
    fs.writeFileSync(manifest, text)
    await outcomeOf(system.reload_plugin(pluginId('granted')))
  }
}

/** The host swaps it, as somebody with a shell could. */
async function swapped(arena: Arena, as: AttackerName, folder: string): Promise<Finding> {
  await arena.system.execute_plugin(pluginId(as), 'ping')
  const aside = `${folder}-aside`
  fs.renameSync(folder, aside)
  fs.symlinkSync(arena.places.outside, folder)
  try {
    await arena.renew(as)
    const input = {
      paths: [path.join(folder, 'secret.txt'), path.join(folder, 'new.txt')],
      ways: ['writeFileSync'],
    }
    const wrote = await outcomeOf(arena.attack(as, 'write', input))
    const read = await outcomeOf(arena.attack(as, 'read', { paths: [path.join(folder, 'secret.txt')] }))
    return { verdict: 'held', found: `writing: ${wrote}; reading: ${read}` }
  } finally {
    fs.rmSync(folder)
    fs.renameSync(aside, folder)
  }
}

async function outcomeOf(call: Promise<unknown>): Promise<string> {
  try {
    const answer = await call
    return Array.isArray(answer) ? judged(answer as { got: string | null; control: boolean }[]) : 'an answer'
  } catch (error) {
    if (isPhantomError(error)) return error.code
    return String(error instanceof Error ? error.message : error).slice(0, 100)
  }
}

function judged(tries: readonly { got: string | null; control: boolean }[]): string {
  return tries.some(({ got, control }) => got !== null && !control) ? 'something' : 'nothing'
}

function pipe(folder: string, name: string): void {
  execFileSync('mkfifo', [path.join(folder, name)])
}
