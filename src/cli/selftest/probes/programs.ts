import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { processesNaming } from '../arena-processes.ts'
import type { Arena } from '../arena.ts'
import { pluginId } from '../attackers.ts'
import { attackProbe, defineProbe } from '../define-probe.ts'
import type { Finding, Probe } from '../probe.ts'
import { watchNeighbours } from '../watch-neighbours.ts'

/** Without namespaces nobody is granted the right to start programs. */
const isGranted = ({ tier }: Arena): boolean => tier === 'namespace'
const GONE_MS = 1_000
const PROMPT_MS = 1_500

export const PROGRAM_PROBES: readonly Probe[] = [
  attackProbe({
    id: 'programs-files',
    area: 'processes',
    as: 'starter',
    tries: 'with the right to start programs reads files outside, and others’ memory, by a shell',
    attack: 'shell',
    input: (arena) => ({ isGranted: isGranted(arena), scripts: fileScripts(arena) }),
  }),
  attackProbe({
    id: 'programs-rights',
    area: 'processes',
    as: 'starter',
    tries: 'with that right becomes root, mounts, makes namespaces and setuid files',
    attack: 'shell',
    input: (arena) => ({ isGranted: isGranted(arena), scripts: RIGHT_SCRIPTS }),
  }),
  attackProbe({
    id: 'programs-network',
    area: 'processes',
    as: 'starter',
    tries: 'with that right connects by programs: bash, curl, nc, python, perl',
    attack: 'shell',
    input: (arena) => ({
      isGranted: isGranted(arena),
      scripts: networkScripts(arena.listeners.tcpPort, arena.places.unixSocket),
    }),
  }),
  defineProbe({
    id: 'programs-bomb',
    area: 'resources',
    tries: 'with that right starts programs until something stops it',
    plugins: ['starter'],
    spoils: true,
    run: (arena) => programsAre(arena, 'forkBomb'),
  }),
  defineProbe({
    id: 'programs-left',
    area: 'processes',
    tries: 'with that right leaves programs behind: detached, orphaned, deaf to signals',
    plugins: ['starter'],
    run: (arena) => programsAre(arena, 'leaveBehind'),
  }),
]

function fileScripts({ places, daemonPid, neighbourPid }: Arena): readonly (readonly [string, string])[] {
  const state = path.join(places.state, 'state.db')
  return [
    ['cat of a file outside', `cat ${places.secretFile}`],
    ['cat of a file of the workspace', `cat ${path.join(places.workspace, 'private.txt')}`],
    ['cat of /etc/shadow', 'cat /etc/shadow'],
    ["cat of the daemon's state", `cat ${state}`],
    [
      'find of a secret',
      `find / -xdev -name 'secret*' -not -path '/usr/*' -not -path '/proc/*' 2>/dev/null | head -3`,
    ],
    ['ls of homes', 'ls -d /root/* /home/* 2>/dev/null'],
    ["the daemon's environment", `cat /proc/${daemonPid}/environ`],
    ["the neighbour's environment", `cat /proc/${neighbourPid}/environ`],
    ['the root of process 1', `ls /proc/1/root${places.outside}`],
    ['writing outside', `echo x > ${places.secretFile} && echo written`],
    ['writing into the system', 'echo x > /usr/bin/phantom-was-here && echo written'],
    ['core_pattern', 'echo x > /proc/sys/kernel/core_pattern && echo written'],
  ]
}

const RIGHT_SCRIPTS: readonly (readonly [string, string])[] = [
  ['the uid of root', '[ "$(id -u)" = 0 ] && echo root'],
  ['su', 'su -c id 2>/dev/null </dev/null'],
  ['sudo', 'sudo -n id 2>/dev/null'],
  ['mount', 'mount -t tmpfs none /tmp && echo mounted'],
  ['unshare', 'unshare -Ur id -u'],
  ['nsenter', 'nsenter -t 1 -m id -u'],
  ['a setuid file', 'cp /bin/true /tmp/t && chmod u+s /tmp/t && echo made'],
  ['chroot', 'chroot /tmp /bin/true && echo entered'],
  ['capabilities', 'grep -E "^Cap(Eff|Prm|Bnd):" /proc/self/status | grep -v "0000000000000000$"'],
  ['a larger limit', 'ulimit -Sd unlimited 2>/dev/null && ulimit -Hd unlimited && echo raised'],
  ['dmesg', 'dmesg 2>/dev/null'],
  ['a nice value below 0', 'nice -n -5 true 2>&1 | grep -q . || echo nicer'],
]

function networkScripts(port: number, socket: string): readonly (readonly [string, string])[] {
  const python = `import socket; s=socket.create_connection(("127.0.0.1",${port}),1); print(s.recv(99))`
  const unix = `import socket; s=socket.socket(socket.AF_UNIX); s.connect("${socket}"); print("connected")`
  return [
    ['bash', `bash -c 'exec 3<>/dev/tcp/127.0.0.1/${port} && cat <&3'`],
    ['curl', `curl -s -m 1 http://127.0.0.1:${port}/`],
    ['nc', `nc -w 1 127.0.0.1 ${port} </dev/null`],
    ['python', `python3 -c '${python}'`],
    ['python by a unix socket', `python3 -c '${unix}'`],
    [
      'perl',
      `perl -MIO::Socket::INET -e 'print IO::Socket::INET->new("127.0.0.1:${port}") ? "connected" : ""'`,
    ],
    ['getent', 'getent hosts example.com'],
    ['ping', 'ping -c 1 -W 1 127.0.0.1 2>/dev/null | grep received'],
  ]
}

/** Bounded while they run, and gone within a second of their plugin's process. */
async function programsAre(arena: Arena, attack: string): Promise<Finding> {
  const marker = path.join(arena.places.root, 'left-by-the-attacker')
  const { value, pingsMs } = await watchNeighbours(arena, pluginId('starter'), () =>
    arena.ending(arena.attack('starter', attack, { marker })),
  )
  const running = processesNaming(marker).length
  await arena.renew('starter')
  const startedMs = performance.now()
  while (processesNaming(marker).length > 0 && performance.now() - startedMs < 2 * GONE_MS) await delay(10)
  const left = processesNaming(marker).length
  const goneMs = Math.round(performance.now() - startedMs)
  const slowest = pingsMs[Math.floor(pingsMs.length * 0.95)] ?? 0
  const found = `${value}; ${running} ran, ${left} left ${goneMs} ms after their plugin; neighbour p95 ${slowest.toFixed(1)} ms`
  return { verdict: left === 0 && goneMs <= GONE_MS && slowest < PROMPT_MS ? 'held' : 'open', found }
}
