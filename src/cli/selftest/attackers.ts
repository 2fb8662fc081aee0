import type { AttackerName } from './probe.ts'

/** Its process ends again and again: what is tried here is the wall, not the restart policy. */
const RESTART = '[restart]\nintensity = 1000\nshutdown_ms = 200\n'

export const MAX_MEMORY_MB = 64
/** Long enough for what must come to its own end, and short enough for what never does. */
export const MAX_EXECUTION_MS: Readonly<Record<AttackerName, number>> = {
  bare: 2000,
  granted: 2000,
  hasty: 400,
}

const MORE: Readonly<Record<AttackerName, string>> = {
  /** Asks for nothing. */
  bare: '',
  /** The same with little time. */
  hasty: '',
  granted: `[permissions]\npermissions = ["fs_read:./given", "fs_write:./out", "env:SELFTEST_GIVEN"]\n`,
}

export function pluginId(name: AttackerName): string {
  return `attacker_${name}`
}

export function attackerManifest(name: AttackerName): string {
  return `${pluginHead(pluginId(name))}${MORE[name]}${limitsOf(name)}${RESTART}`
}

function limitsOf(name: AttackerName): string {
  return `[resource_limits]\nmax_memory_mb = ${MAX_MEMORY_MB}\nmax_execution_time_ms = ${MAX_EXECUTION_MS[name]}\n`
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
