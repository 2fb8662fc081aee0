import type { AttackerName } from './probe.ts'

/** Its process ends again and again: what is tried here is the wall, not the restart policy. */
const RESTART = '[restart]\nintensity = 1000\nshutdown_ms = 200\n'

export const MAX_MEMORY_MB = 64
/** That are declared; the machine may have fewer processors. */
export const THREADS = 2
/** Long enough for what must come to its own end, and short enough for what never does. */
export const MAX_EXECUTION_MS: Readonly<Record<AttackerName, number>> = {
  bare: 2000,
  granted: 2000,
  hasty: 400,
  networker: 15_000,
  limited: 30_000,
  busy: 15_000,
  loose: 5_000,
  starter: 15_000,
  threaded: 2_000,
}

/** Ports of the host, which are known when its listeners are open. */
export interface ArenaPorts {
  readonly tcpPort: number
  readonly grantedPort: number
}

const MORE: Readonly<Record<AttackerName, (ports: ArenaPorts) => string>> = {
  /** Asks for nothing. */
  bare: () => '',
  /** The same with little time. */
  hasty: () => '',
  /** Everything of Node's own layer that can be opened is open: the kernel alone holds it. */
  loose: () =>
    `[permissions]\npermissions = ["fs_read:./given"]\n[runtime]\nffi = true\nsqlite = true\ninspector = true\naddons = true\neval = true\n`,
  starter: () => `[permissions]\npermissions = ["process"]\n`,
  /** May run tasks on threads. */
  threaded: () => `[runtime]\nthreads = ${THREADS}\n`,
  /** Held by limits besides memory and time. */
  limited: () => '',
  busy: () => '',
  granted: () => `[permissions]\npermissions = ["fs_read:./given", "fs_write:./out", "env:SELFTEST_GIVEN"]\n`,
  networker: (ports) =>
    `[permissions]\npermissions = [${JSON.stringify(`network:${hostsOf(ports).join(',')}`)}]\n`,
}

export function pluginId(name: AttackerName): string {
  return `attacker_${name}`
}

/** Names that lead inside are granted as names: that must not be enough. See `EGRESS_CONFIGURATION`. */
function hostsOf({ tcpPort, grantedPort }: ArenaPorts): string[] {
  const names = ['loop.test', 'loop6.test', 'mapped.test', 'nat64.test', '*.wild.test']
  const named = names.map((name) => `${name}:${tcpPort}`)
  return [`127.0.0.1:${grantedPort}`, ...named, 'inside.test', 'meta.test', 'many.test']
}

/** What those names lead to. */
export const EGRESS_CONFIGURATION = `egress:
  resolve:
    - "loop.test=127.0.0.1"
    - "loop6.test=::1"
    - "mapped.test=::ffff:127.0.0.1"
    - "nat64.test=64:ff9b::7f00:1"
    - "inside.test=10.0.0.7"
    - "meta.test=169.254.169.254"
    - "many.test=93.184.215.14"
    - "many.test=127.0.0.1"
    - "evil.test=127.0.0.1"
    - "evilwild.test=127.0.0.1"
    - "xwild.test=127.0.0.1"
    - "wild.test=127.0.0.1"
    - "a.wild.test.evil.test=127.0.0.1"
`

export function attackerManifest(name: AttackerName, ports: ArenaPorts): string {
  return `${pluginHead(pluginId(name))}${MORE[name](ports)}${limitsOf(name)}${RESTART}`
}

export const MAX_DISK_MB = 8
export const MAX_CPU_MS = 300
const MORE_LIMITS: Readonly<Partial<Record<AttackerName, string>>> = {
  limited: `max_disk_mb = ${MAX_DISK_MB}\nmax_output_bytes = 100000\n`,
  busy: `max_cpu_time_ms = ${MAX_CPU_MS}\n`,
}

function limitsOf(name: AttackerName): string {
  return `[resource_limits]\n${MORE_LIMITS[name] ?? ''}max_memory_mb = ${MAX_MEMORY_MB}\nmax_execution_time_ms = ${MAX_EXECUTION_MS[name]}\n`
}

/** A harmless plugin that must notice nothing, and holds a secret of its own. */
export const NEIGHBOUR = 'neighbour'

export function neighbourManifest(): string {
  return pluginHead(NEIGHBOUR)
}

export function pluginHead(id: string): string {
  return `[plugin]\nid = "${id}"\nname = "${id}"\nversion = "1.0.0"\ntype = "javascript"\nentry_point = "index.js"\n`
}

export const NEIGHBOUR_CODE = `import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
let kept = ''
export default {
  operations: {
    keep: (secret, { data_dir }) => ((kept = secret), writeFileSync(join(data_dir, 'kept.txt'), secret), process.pid),
    ping: () => 'pong',
  },
}
`
