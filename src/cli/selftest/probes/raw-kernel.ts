import path from 'node:path'
import fs from 'node:fs'
import type { Arena } from '../arena.ts'
import { NEIGHBOUR, pluginId } from '../attackers.ts'
import { attackProbe, defineProbe } from '../define-probe.ts'
import type { Probe } from '../probe.ts'
import { SYSTEM_CALLS } from './system-calls.ts'

/** What opens Node's inner layer starts nowhere but behind the walls of the kernel. */
const REFUSED_IN_PROCESS = [
  'PLUGIN_BLOCKED',
  'PERMISSION_DENIED',
  'SANDBOX_UNAVAILABLE',
  'PLUGIN_START_FAILED',
] as const
const OTHER_NUMBERS = process.arch === 'x64' ? null : 'the numbers of its system calls are those of x86-64'

function rawProbe(probe: Parameters<typeof attackProbe>[0]): Probe {
  return attackProbe({
    ...probe,
    as: 'loose',
    mayEndAs: [...REFUSED_IN_PROCESS, ...(probe.mayEndAs ?? [])],
    skip: () => OTHER_NUMBERS,
  })
}

export const RAW_KERNEL_PROBES: readonly Probe[] = [
  ...SYSTEM_CALLS.map(({ id, tries, list }) =>
    rawProbe({
      id: `raw-${id}`,
      area: 'kernel',
      tries: `past all of Node ${tries}`,
      attack: 'calls',
      input: (arena) => ({ list: list(arena) }),
    }),
  ),
  rawProbe({
    id: 'raw-files',
    area: 'kernel',
    tries: "opens files outside, the kernel's switches and other plugins' data past all of Node",
    attack: 'rawOpen',
    input: (arena) => ({ control: path.join(arena.places.workspace, 'given/ok.txt'), ...filesOf(arena) }),
  }),
  rawProbe({
    id: 'raw-own-memory',
    area: 'kernel',
    tries: 'writes into its own memory by /proc/self/mem, and then opens files outside',
    attack: 'ownMemory',
    input: ({ places }) => ({ read: [places.secretFile, '/etc/passwd'] }),
  }),
  rawProbe({
    id: 'raw-mappings',
    area: 'kernel',
    tries: 'maps 512 MiB by ways that its memory limit might not count, and raises the limit',
    attack: 'mappings',
    input: () => ({ mib: 512 }),
  }),
  rawProbe({
    id: 'raw-sockets',
    area: 'kernel',
    tries: 'makes sockets of all families and connects to the loopback, unix and abstract sockets',
    attack: 'sockets',
    input: ({ places, listeners, socket }) => ({
      families: FAMILIES,
      unix: [
        places.unixSocket,
        places.grantedSocket,
        socket,
        '/run/docker.sock',
        '/run/dbus/system_bus_socket',
      ],
      abstract: places.abstractSocket.slice(1),
      port: listeners.tcpPort,
    }),
  }),
  rawProbe({
    id: 'raw-exec',
    area: 'kernel',
    tries: 'replaces itself by node without its flags, which writes into a file outside',
    attack: 'rawExec',
    mayEndAs: ['PLUGIN_CRASHED', 'LIMIT_EXCEEDED'],
    input: ({ places }) => ({
      files: ['/bin/sh', '/proc/self/exe', '/.phantom-runner/node', process.execPath],
      code: `try { require('fs').writeFileSync(${JSON.stringify(places.secretFile)}, 'x') } catch {}`,
    }),
  }),
  rawProbe({
    id: 'raw-x32',
    area: 'kernel',
    tries: 'calls the kernel by the numbers of another table (x32)',
    attack: 'x32',
    mayEndAs: ['PLUGIN_CRASHED'],
    input: () => ({ number: 39 }),
  }),
  rawProbe({
    id: 'raw-sqlite',
    area: 'kernel',
    tries: 'opens, makes, attaches and vacuums SQLite databases outside, with node:sqlite open to it',
    attack: 'sqliteOutside',
    input: ({ places }) => ({
      read: [path.join(places.state, 'state.db'), places.secretFile],
      write: [
        path.join(places.outside, 'new.db'),
        path.join(places.workspace, 'new.db'),
        path.join(places.plugins, 'new.db'),
      ],
    }),
  }),
  defineProbe({
    id: 'raw-descriptors',
    area: 'wire',
    tries: 'sends 16,000 descriptors to the daemon over its channel (SCM_RIGHTS)',
    plugins: ['loose'],
    skip: () => OTHER_NUMBERS,
    run: async (arena) => {
      const count = (): number => fs.readdirSync(`/proc/${arena.daemonPid}/fd`).length
      const before = count()
      const ended = await arena.ending(arena.attack('loose', 'passDescriptors', { times: 1000 }))
      const more = count() - before
      return {
        verdict: more < 20 ? 'held' : 'open',
        found: `${ended}; the daemon has ${more} descriptors more`,
      }
    },
  }),
]

const [STREAM, DATAGRAM, RAW] = [1, 2, 3]
const FAMILIES = [
  ['IPv4', 2, STREAM],
  ['IPv4, UDP', 2, DATAGRAM],
  ['IPv4, raw', 2, RAW, 1],
  ['IPv6', 10, STREAM],
  ['netlink', 16, RAW],
  ['packets', 17, RAW, 768],
  ['virtual machines', 40, STREAM],
  ['the kernel’s ciphers', 38, 5],
  ['keys', 15, RAW, 2],
  ['Bluetooth', 31, RAW, 1],
  ['XDP', 44, RAW],
  ['TIPC', 30, STREAM],
  ['CAN', 29, RAW, 1],
] as const

function filesOf(arena: Arena): { read: string[]; write: string[] } {
  const { places, daemonPid, neighbourPid } = arena
  return {
    read: [
      places.secretFile,
      path.join(places.workspace, 'private.txt'),
      '/etc/passwd',
      '/etc/shadow',
      '/root',
      '/home',
      '/usr',
      path.join(places.state, 'state.db'),
      path.join(places.dataOf(NEIGHBOUR), 'kept.txt'),
      path.join(places.folderOf(NEIGHBOUR), 'index.js'),
      path.join(places.dataOf(pluginId('bare')), 'mine'),
      `/proc/${daemonPid}/environ`,
      `/proc/${neighbourPid}/environ`,
      `/proc/self/root${places.secretFile}`,
      `/proc/1/root${places.secretFile}`,
      `/proc/self/cwd/private.txt`,
      '/dev/mem',
      '/dev/kmsg',
      '/dev/sda',
      '/dev/vda',
      '/proc/kcore',
      '/sys/kernel',
      '/sys/fs/cgroup',
    ],
    write: [
      places.secretFile,
      path.join(places.workspace, 'given/ok.txt'),
      path.join(places.folderOf(pluginId('loose')), 'index.js'),
      '/.phantom-runner/runner/main.cjs',
      '/proc/sys/kernel/core_pattern',
      '/proc/sysrq-trigger',
      '/proc/sys/kernel/modprobe',
      '/sys/kernel/uevent_helper',
    ],
  }
}
