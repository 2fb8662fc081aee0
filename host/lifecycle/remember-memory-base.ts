import type { Machine } from '../sandbox/machine.ts'
import { measureMemoryBase, type MemoryBase, type RunnerKind } from '../sandbox/memory-base.ts'
import type { Store } from '../store/store.ts'

const PLAIN: RunnerKind = { hasNetwork: false, isWasm: false, threads: 0 }

/** What of its addresses a thread uses as soon as it is there: that is taken from the plugin's limit, as all it takes later. */
const THREAD_HELD_BYTES = 6 * 1024 * 1024

/**
 * Measured once for each Node, sandbox and kind of runner, and remembered in the store. The thread that starts those of
 * the plugin adds what one adds, and each of those what it reserves and does not use.
 */
export function rememberMemoryBase(
  machine: Machine,
  store: Store,
): (kind: RunnerKind) => Promise<MemoryBase> {
  const measuring = new Map<string, Promise<number>>()
  const measured = async (kind: RunnerKind): Promise<number> => {
    const key = keyOf(machine, kind)
    const known = store.fact(key)
    if (typeof known === 'number') return known
    const asked = measuring.get(key) ?? measureMemoryBase(machine, kind)
    measuring.set(key, asked)
    try {
      const bytes = await asked
      store.setFact(key, bytes)
      return bytes
    } finally {
      // Also where it failed: what the machine lacked then it may have at the next start.
      measuring.delete(key)
    }
  }
  return async ({ threads, ...kind }) => {
    const base = await measured({ ...kind, threads: 0 })
    if (threads === 0) return { dataBytes: base, threadBytes: 0 }
    const oneBytes = (await measured({ ...PLAIN, threads: 1 })) - (await measured(PLAIN))
    const threadBytes = oneBytes - THREAD_HELD_BYTES
    return { dataBytes: base + oneBytes + threads * threadBytes, threadBytes }
  }
}

function keyOf(machine: Machine, { hasNetwork, isWasm, threads }: RunnerKind): string {
  const kinds = `${hasNetwork ? ' network' : ''}${isWasm ? ' wasm' : ''}${threads > 0 ? ' thread' : ''}`
  return `memory_base_bytes ${process.version} ${process.execPath} ${machine.tier}${kinds}`
}
