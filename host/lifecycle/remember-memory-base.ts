import type { Machine } from '../sandbox/machine.ts'
import { measureMemoryBase } from '../sandbox/memory-base.ts'
import type { Store } from '../store/store.ts'

/** Measured once for each Node and sandbox, and remembered in the store. */
export function rememberMemoryBase(machine: Machine, store: Store): () => Promise<number> {
  const key = `memory_base_bytes ${process.version} ${process.execPath} ${machine.tier}`
  let measuring: Promise<number> | null = null
  return async () => {
    const known = store.fact(key)
    if (typeof known === 'number') return known
    measuring ??= measureMemoryBase(machine).then((bytes: number) => {
      store.setFact(key, bytes)
      return bytes
    })
    return await measuring
  }
}
