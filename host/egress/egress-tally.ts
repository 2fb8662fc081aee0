import type { AuditLog } from '../audit/audit-log.ts'
import { hostInUrl } from './canonical-host.ts'
import type { EgressMeter, EgressRefusal } from './egress-meter.ts'
import type { Target } from './host-rules.ts'

export interface TallyOptions {
  readonly pluginId: string
  readonly workspace: string
  readonly meter: EgressMeter
  readonly record: AuditLog['record']
}

interface Count {
  readonly host: string
  readonly port: number | null
  requests: number
  connections: number
}

/** Places that one process may reach and have by name in the audit log; the rest is counted together. */
const MAX_PLACES = 256
const OTHERS: Omit<Count, 'requests' | 'connections'> = { host: '(others)', port: null }

/** The decisions about one process, on their way to the audit log: each refusal, and what was let through by place. */
export class EgressTally {
  readonly #options: TallyOptions
  readonly #counts = new Map<string, Count>()
  #writtenBytes = 0

  constructor(options: TallyOptions) {
    this.#options = options
  }

  allowed({ host, port }: Target, way: 'request' | 'tunnel'): void {
    const key = `${host.text} ${port}`
    const isFull = this.#counts.size >= MAX_PLACES && !this.#counts.has(key)
    const place = isFull ? OTHERS : { host: hostInUrl(host), port }
    const count = this.#counts.get(isFull ? '' : key) ?? { ...place, requests: 0, connections: 0 }
    this.#counts.set(isFull ? '' : key, count)
    count.requests += 1
    if (way === 'tunnel') count.connections += 1
  }

  refused({ reason, host, port, message, missing }: EgressRefusal): void {
    this.#record('egress.refused', 'refused', { host, port, reason, message, missing })
  }

  /** One line for what was let through since the last time; none where nothing was. */
  writeDown(): void {
    const { bytes } = this.#options.meter.use
    if (this.#counts.size === 0 && bytes === this.#writtenBytes) return
    this.#record('egress.allowed', 'done', {
      places: [...this.#counts.values()],
      bytes: bytes - this.#writtenBytes,
    })
    this.#counts.clear()
    this.#writtenBytes = bytes
  }

  #record(action: string, outcome: 'refused' | 'done', details: Record<string, unknown>): void {
    const { pluginId, workspace, record } = this.#options
    record({ action, plugin_id: pluginId, outcome, actor: null, details: { ...details, workspace } })
  }
}
