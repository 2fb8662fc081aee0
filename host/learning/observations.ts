import { accessKey, type Access } from '../denials/access.ts'
import type { Reach } from '../denials/denial.ts'

/** Different things that are kept of one plugin; it chooses what it reaches for. */
const MAX_ACCESSES = 2000

export interface Observed {
  readonly access: Access
  times: number
}

export interface ObservedPlugin {
  /** Of the process that was observed last. */
  readonly reach: Reach
  readonly accesses: ReadonlyMap<string, Observed>
  /** More was reached for than is kept. */
  readonly isCut: boolean
}

/** What plugins reached for while the daemon observes. */
export class Observations {
  readonly #plugins = new Map<string, { reach: Reach; accesses: Map<string, Observed>; isCut: boolean }>()

  add(access: Access, reach: Reach): void {
    const plugin = this.#plugins.get(reach.pluginId) ?? { reach, accesses: new Map(), isCut: false }
    plugin.reach = reach
    this.#plugins.set(reach.pluginId, plugin)
    const key = keyOf(access)
    const known = plugin.accesses.get(key)
    if (known !== undefined) known.times += 1
    else if (plugin.accesses.size < MAX_ACCESSES) plugin.accesses.set(key, { access, times: 1 })
    else plugin.isCut = true
  }

  of(pluginId: string): ObservedPlugin | null {
    return this.#plugins.get(pluginId) ?? null
  }
}

function keyOf(access: Access): string {
  if (access.kind === 'process') return `process ${access.program}`
  return access.kind === 'network' ? `network ${access.host} ${access.port}` : accessKey(access)
}
