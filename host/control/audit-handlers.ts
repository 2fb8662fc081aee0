import type { AuditRecord } from '../../src/contract/audit.ts'
import { PhantomError } from '../../src/contract/phantom-error.ts'
import { quoteText } from '../../src/contract/quote-text.ts'
import { matchesAudit } from '../audit/query-audit.ts'
import type { SystemHandlers } from './client-session.ts'
import { newestThatFit } from './newest-that-fit.ts'
import type { HandlerPowers } from './system-handlers.ts'

const DEFAULT_RECORDS = 100

/** Methods that read the audit log. */
export function createAuditHandlers({
  audit,
}: HandlerPowers): Pick<SystemHandlers, 'get_audit_log' | 'verify_audit_log'> {
  return {
    get_audit_log: async (params, session, requestId) => {
      const { plugin_id: pluginId, action, limit = DEFAULT_RECORDS, follow = false } = params
      const asked = { pluginId, action, since: toTime(params.since) }
      const held = new HeldRecords()
      // Before the lines are read, and held until they were answered: none is told twice or left out.
      if (follow) {
        session.follow(requestId, 'audit', (tell) =>
          audit.subscribe((record) => {
            if (matchesAudit(record, asked)) held.tell(record, tell)
          }),
        )
      }
      const records = newestThatFit(await audit.query({ ...asked, limit }))
      if (follow) setImmediate(() => held.release(records.at(-1)?.sequence ?? 0))
      return { records }
    },
    verify_audit_log: () => audit.verify(),
  }
}

type Tell = (record: AuditRecord) => void

/** Lines that come while the answer is made. */
class HeldRecords {
  #held: { record: AuditRecord; tell: Tell }[] | null = []

  tell(record: AuditRecord, tell: Tell): void {
    if (this.#held === null) tell(record)
    else this.#held.push({ record, tell })
  }

  release(answeredTo: number): void {
    const held = this.#held ?? []
    this.#held = null
    for (const { record, tell } of held) if (record.sequence > answeredTo) tell(record)
  }
}

function toTime(since: string | undefined): string | undefined {
  if (since === undefined) return undefined
  const ms = Date.parse(since)
  if (!Number.isNaN(ms)) return new Date(ms).toISOString()
  throw new PhantomError(
    'PARAMS_INVALID',
    `Cannot read the audit log: "since" is ${quoteText(since)}, expected a time in ISO 8601, such as ` +
      '2026-01-31T12:00:00Z',
  )
}
