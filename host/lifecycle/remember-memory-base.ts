import type { Machine } from '../sandbox/machine.ts'
import { measureMemoryBase, type RunnerKind } from '../sandbox/memory-base.ts'
import type { Store } from '../store/store.ts'

/** Measured once for each Node, sandbox and kind of runner, and remembered in the store. */
export function rememberMemoryBase(machine: Machine, store: Store): (kind: RunnerKind) => Promise<number> {
  const measuring = new Map<string, Promise<number>>()
  return async (kind) => {
    const key = keyOf(machine, kind)
    const known = store.fact(key)
    if (typeof known === 'number') return known
    const asked = measuring.get(key) ?? measureMemoryBase(machine, kind)
    measuring.set(key, asked)
    const bytes = await asked
    store.setFact(key, bytes)
    return bytes
  }
}

function keyOf(machine: Machine, { hasNetwork, isWasm }: RunnerKind): string {
  const kinds = `${hasNetwork ? ' network' : ''}${isWasm ? ' wasm' : ''}`
  return `memory_base_bytes ${process.version} ${process.execPath} ${machine.tier}${kinds}`
}
