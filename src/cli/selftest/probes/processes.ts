import path from 'node:path'
import { processesNaming } from '../arena-processes.ts'
import type { Arena } from '../arena.ts'
import { THREADS } from '../attackers.ts'
import { attackProbe } from '../define-probe.ts'
import type { Probe } from '../probe.ts'

const MARKER = 'started-by-the-attacker'

export const PROCESS_PROBES: readonly Probe[] = [
  attackProbe({
    id: 'processes-start',
    area: 'processes',
    tries: 'starts programs by spawn, exec, fork, cluster and bindings',
    attack: 'spawn',
    input: ({ places }) => ({ marker: path.join(places.root, MARKER) }),
    effect: (arena) => findStarted(arena),
  }),
  attackProbe({
    id: 'processes-exec',
    area: 'processes',
    tries: 'replaces itself by a shell, and by node without its flags',
    attack: 'execve',
    input: ({ places }) => ({ marker: path.join(places.root, MARKER) }),
    mayEndAs: ['PLUGIN_CRASHED'],
    effect: (arena) => findStarted(arena),
  }),
  attackProbe({
    id: 'processes-test-runner',
    area: 'processes',
    tries: 'has the test runner start a process for it',
    attack: 'testRunner',
    mayEndAs: ['PLUGIN_CRASHED'],
  }),
  attackProbe({
    id: 'processes-threads',
    area: 'processes',
    tries: 'starts threads and loaders that might have more rights than it has',
    attack: 'threads',
    input: ({ places }) => ({ secret: places.secretFile }),
  }),
  attackProbe({
    id: 'processes-thread-bomb',
    area: 'processes',
    tries:
      'starts 500 threads where it declares two: by itself, from inside of one, and by 500 calls at once',
    as: 'threaded',
    attack: 'threadBomb',
    input: () => ({ declared: THREADS }),
  }),
  attackProbe({
    id: 'processes-signals',
    area: 'processes',
    tries: 'signals the daemon, the neighbour and its own starter, and looks at their priority',
    attack: 'signals',
    input: (arena) => ({ pids: pidsOf(arena) }),
    process: { open: 'processes of the same user can be seen and signalled' },
  }),
  attackProbe({
    id: 'processes-proc',
    area: 'processes',
    tries: 'reads environment, memory, descriptors and root of other processes in /proc',
    attack: 'otherProcesses',
    input: (arena) => ({ pids: pidsOf(arena), secret: arena.places.secretFile }),
  }),
  attackProbe({
    id: 'processes-identity',
    area: 'processes',
    tries: 'becomes root or joins groups',
    attack: 'identity',
  }),
]

function pidsOf(arena: Arena): Readonly<Record<string, number>> {
  return {
    'the daemon': arena.daemonPid,
    'the neighbour': arena.neighbourPid,
    'the command line': process.pid,
  }
}

function findStarted({ places }: Arena): string | null {
  const [pid] = processesNaming(path.join(places.root, MARKER))
  return pid === undefined ? null : `it started process ${pid}`
}
