import type { Machine } from '../sandbox/machine.ts'
import { measureMemoryBase } from '../sandbox/memory-base.ts'
import type { Store } from '../store/store.ts'

/** Measured once for each Node and sandbox, with and without a network, and remembered in the store. */
export function rememberMemoryBase(machine: Machine, store: Store): (hasNetwork: boolean) => Promise<number> {
  const key = `memory_base_bytes ${process.version} ${process.execPath} ${machine.tier}`
  const [plain, networked] = [false, true].map((hasNetwork) =>
    rememberOne(store, hasNetwork ? `${key} network` : key, () => measureMemoryBase(machine, { hasNetwork })),
  )
  return (hasNetwork) => (hasNetwork ? networked! : plain!)()
}

function rememberOne(store: Store, key: string, measure: () => Promise<number>): () => Promise<number> {
  let measuring: Promise<number> | null = null
  return async () => {
    const known = store.fact(key)
    if (typeof known === 'number') return known
    measuring ??= measure().then((bytes: number) => {
      store.setFact(key, bytes)
      return bytes
    })
    return await measuring
  }
}
