import fs from 'node:fs'
import path from 'node:path'
import { isPhantomError } from '../../../contract/phantom-error.ts'
import type { Arena, ArenaPlaces } from '../arena.ts'
import { pluginHead } from '../attackers.ts'
import { defineProbe } from '../define-probe.ts'
import type { Probe } from '../probe.ts'

const CODE = "export default { operations: { run: () => 'ran' } }\n"
const PROMPT_MS = 3_000

interface HostileFolder {
  readonly id: string
  readonly tries: string
  /** Makes the plugin's folder; the plugin must not run as it wants to. */
  readonly make: (folder: string, places: ArenaPlaces) => void
  /** Some may run, if what they wanted is not there. */
  readonly mayRun?: boolean
}

/** For the words alone. */
const SAMPLE = {
  state: '.phantom/plugins',
  configuration: 'config',
  plugins: './plugins',
} as ArenaPlaces

const PERMISSIONS: readonly (readonly [
  id: string,
  permissions: (places: ArenaPlaces) => readonly string[],
])[] = [
  ['paths-up', () => ['fs_read:..', 'fs_read:../..', 'fs_write:./given/../..', 'fs_read:${workspace}/../..']],
  ['paths-whole', () => ['fs_read:/', 'fs_write:/', 'fs_read://', 'fs_read:/.', 'fs_read:/./']],
  [
    'paths-system',
    () => [
      'fs_read:/proc',
      'fs_read:/proc/1/root',
      'fs_write:/sys/kernel',
      'fs_write:/dev/mem',
      'fs_read:/proc/../proc',
      'fs_write:/dev',
    ],
  ],
  [
    'paths-daemon',
    ({ state, configuration }) => [
      `fs_read:${state}`,
      `fs_write:${state}/data/neighbour`,
      `fs_write:${configuration}`,
      'fs_read:.phantom/plugins/state.db',
    ],
  ],
  [
    'paths-plugins',
    ({ plugins }) => [
      `fs_write:${plugins}`,
      `fs_write:${plugins}/neighbour`,
      'fs_write:${plugin_dir}',
      'fs_write:${plugin_dir}/index.js',
    ],
  ],
  [
    'paths-home',
    () => ['fs_read:~', 'fs_read:~root/.ssh', 'fs_read:$HOME/.ssh', 'fs_read:${HOME}/.ssh', 'fs_read:%h'],
  ],
  ['paths-wild', () => ['fs_read:*', 'fs_read:/e*', 'fs_read:./**', 'fs_write:?']],
  ['paths-empty', () => ['fs_read:', 'fs_write:', 'fs_read: ', 'fs_write', 'env:', 'network:']],
  [
    'arguments',
    () => [
      'fs_read:./given\\n--bind / /',
      'fs_read:--bind',
      'fs_write:./x\\u0000/etc',
      'fs_read:./a\\r\\nb',
      'fs_read:./given --dev-bind / /',
    ],
  ],
  [
    'variables',
    () => [
      'env:*',
      'env:NODE_OPTIONS',
      'env:LD_PRELOAD',
      'env:PHANTOM_BWRAP',
      'env:A=B',
      'env:LD_LIBRARY_PATH,NODE_EXTRA_CA_CERTS',
    ],
  ],
  [
    'hosts',
    () => [
      'network:*',
      'network:http://x/',
      'network:0x7f.1',
      'network:127.1',
      'network:a.*.b',
      'network:user@host',
      'network:x:99999',
      'network:2130706433',
    ],
  ],
  [
    'kinds',
    () => ['root', 'fs_exec:/bin', '__proto__', 'process:*', 'FS_READ:/etc', 'fs_read\\u200b:./given'],
  ],
]

const FOLDERS: readonly HostileFolder[] = [
  {
    id: 'entry-outside',
    tries: 'names an entry point outside its folder',
    make: (folder, { outside }) => {
      write(folder, 'index.js', CODE)
      write(
        folder,
        'plugin.toml',
        pluginHead(path.basename(folder)).replace('index.js', path.relative(folder, `${outside}/secret.mjs`)),
      )
    },
  },
  {
    id: 'entry-absolute',
    tries: 'names an absolute entry point',
    make: (folder, { outside }) =>
      write(
        folder,
        'plugin.toml',
        pluginHead(path.basename(folder)).replace('index.js', `${outside}/secret.mjs`),
      ),
  },
  {
    id: 'entry-link',
    tries: 'has an entry point that is a link to outside',
    make: (folder, { outside }) => {
      write(folder, 'plugin.toml', pluginHead(path.basename(folder)))
      fs.symlinkSync(`${outside}/secret.mjs`, path.join(folder, 'index.js'))
    },
  },
  {
    id: 'manifest-link',
    tries: 'has a manifest that is a link to outside',
    make: (folder, places) => {
      write(folder, 'index.js', CODE)
      places.write('outside/plugin.toml', pluginHead(path.basename(folder)))
      fs.symlinkSync(path.join(places.outside, 'plugin.toml'), path.join(folder, 'plugin.toml'))
    },
  },
  {
    id: 'manifest-large',
    tries: 'has a manifest of 100 MB',
    make: (folder) => {
      write(folder, 'plugin.toml', pluginHead(path.basename(folder)))
      fs.truncateSync(path.join(folder, 'plugin.toml'), 100 * 1024 * 1024)
    },
  },
  {
    id: 'manifest-deep',
    tries: 'nests its manifest 10,000 deep',
    make: (folder) => plugin(folder, `\n[configuration]\nx = ${'['.repeat(10_000)}${']'.repeat(10_000)}\n`),
  },
  {
    id: 'manifest-twice',
    tries: 'says its keys twice, and with a byte order mark before them',
    make: (folder) => plugin(folder, '\n[plugin]\nid = "neighbour"\n'),
  },
  {
    id: 'manifest-prototype',
    tries: 'uses __proto__ and constructor as keys',
    make: (folder) =>
      plugin(folder, '\n[__proto__]\npolluted = "yes"\n[constructor.prototype]\npolluted = "yes"\n'),
  },
  {
    id: 'manifest-id',
    tries: 'has an id that is a path',
    make: (folder) => {
      write(folder, 'index.js', CODE)
      write(folder, 'plugin.toml', pluginHead('../../outside'))
    },
  },
  {
    id: 'manifest-same-id',
    tries: "takes the neighbour's id",
    make: (folder) => {
      write(folder, 'index.js', CODE)
      write(folder, 'plugin.toml', pluginHead('neighbour'))
    },
  },
  {
    id: 'manifest-backtracking',
    tries: 'has a schema whose pattern backtracks for ever',
    mayRun: true,
    make: (folder) =>
      plugin(
        folder,
        `\n[configuration.schema]\ntype = "object"\n[configuration.schema.properties.x]\ntype = "string"\npattern = "^(a+)+$"\ndefault = "${'a'.repeat(32)}!"\n`,
      ),
  },
  {
    id: 'manifest-schema-deep',
    tries: 'has an input schema that refers to itself without end',
    mayRun: true,
    make: (folder) =>
      plugin(
        folder,
        '\n[[operations]]\nname = "run"\ndescription = "x"\ninput_schema = { "$ref" = "#", allOf = [{ "$ref" = "#" }] }\n',
      ),
  },
]

export const MANIFEST_PROBES: readonly Probe[] = [
  ...PERMISSIONS.map(([id, permissions]) => permissionProbe(id, permissions)),
  ...FOLDERS.map((folder) => folderProbe(folder)),
]

/** One plugin for each permission: none of them may hold it. */
function permissionProbe(id: string, permissions: (places: ArenaPlaces) => readonly string[]): Probe {
  const names = (places: ArenaPlaces): readonly (readonly [string, string])[] =>
    permissions(places).map((permission, at) => [`asks_${id.replaceAll('-', '_')}_${at}`, permission])
  return defineProbe({
    id: `manifest-${id}`,
    area: 'manifest',
    tries: `asks for ${permissions(SAMPLE)
      .slice(0, 4)
      .map((one) => `\`${one}\``)
      .join(', ')} and the like`,
    prepare: (places) => {
      for (const [name, permission] of names(places))
        plugin(
          places.folderOf(name),
          `\n[permissions]\npermissions = [${JSON.stringify(permission).replaceAll('\\\\', '\\')}]\n`,
        )
    },
    run: async (arena) => {
      const ends = new Set<string>()
      for (const [name, permission] of names(arena.places)) {
        const outcome = await standing(arena, name)
        if (outcome.granted !== null)
          return { verdict: 'open', found: `${permission} was granted: ${outcome.granted}` }
        ends.add(outcome.state)
      }
      return { verdict: 'held', found: `${names(arena.places).length} plugins: ${[...ends].join(', ')}` }
    },
  })
}

function folderProbe({ id, tries, make, mayRun = false }: HostileFolder): Probe {
  const name = `hostile_${id.replaceAll('-', '_')}`
  return defineProbe({
    id: `manifest-${id.replace(/^manifest-/, '')}`,
    area: 'manifest',
    tries,
    prepare: (places) => {
      fs.mkdirSync(places.folderOf(name), { recursive: true })
      make(places.folderOf(name), places)
    },
    run: async (arena) => {
      const startedMs = performance.now()
      const call = arena.system.execute_plugin(name, 'run', null, { timeout_ms: PROMPT_MS })
      const ended = await call.then(
        ({ result, success }) => (success ? `it ran and said ${JSON.stringify(result)}` : 'a failure'),
        (error: unknown) => (isPhantomError(error) ? error.code : Promise.reject(error)),
      )
      arena.notice(ended)
      const found = `${ended} after ${Math.round(performance.now() - startedMs)} ms`
      const isRun = ended.startsWith('it ran')
      if ('polluted' in {}) return { verdict: 'open', found: 'it polluted Object.prototype' }
      return { verdict: isRun && !mayRun ? 'open' : 'held', found }
    },
  })
}

/** What became of a plugin, and the first right that it holds. */
async function standing(arena: Arena, name: string): Promise<{ state: string; granted: string | null }> {
  const info = await arena.system.get_plugin_info(name).catch((error: unknown) => error)
  if (isPhantomError(info)) return { state: info.code, granted: null }
  const { state, permissions } = info as Awaited<ReturnType<Arena['system']['get_plugin_info']>>
  const held = state === 'enabled' ? permissions.find(({ effective }) => effective !== null) : undefined
  return { state, granted: held?.effective ?? null }
}

function plugin(folder: string, more: string): void {
  write(folder, 'plugin.toml', `${pluginHead(path.basename(folder))}${more}`)
  write(folder, 'index.js', CODE)
}

function write(folder: string, name: string, text: string): void {
  fs.mkdirSync(folder, { recursive: true })
  fs.writeFileSync(path.join(folder, name), text)
}
