import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { AuditActor } from '../../src/contract/audit.ts'
import type { ApprovalSource } from '../../src/contract/permissions-info.ts'

/** What was decided last about a plugin's rights. Rights stand in their one spelling. */
export interface StoredApproval {
  readonly source: Exclude<ApprovalSource, 'built_in'>
  /** Of what was asked. */
  readonly digest: string
  readonly asked: readonly string[]
  readonly granted: readonly string[]
  /** Who decided; null: the daemon itself. */
  readonly actor: AuditActor | null
  readonly at: string
}

const GET = 'SELECT * FROM approvals WHERE plugin_id = ?'
const SET = `INSERT INTO approvals (plugin_id, source, digest, asked, granted, actor, at)
  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
  ON CONFLICT (plugin_id) DO UPDATE SET source = ?2, digest = ?3, asked = ?4, granted = ?5, actor = ?6, at = ?7`

const FORGET = "DELETE FROM approvals WHERE source <> 'revoked'"

export class ApprovalTable {
  readonly #get: StatementSync
  readonly #set: StatementSync
  readonly #forget: StatementSync

  constructor(database: DatabaseSync) {
    this.#get = database.prepare(GET)
    this.#set = database.prepare(SET)
    this.#forget = database.prepare(FORGET)
  }

  /** Null: nobody has decided about that plugin. */
  get(pluginId: string): StoredApproval | null {
    const row = this.#get.get(pluginId)
    if (row === undefined) return null
    return {
      source: row['source'] as StoredApproval['source'],
      digest: String(row['digest']),
      asked: JSON.parse(String(row['asked'])) as string[],
      granted: JSON.parse(String(row['granted'])) as string[],
      actor: row['actor'] === null ? null : (JSON.parse(String(row['actor'])) as AuditActor),
      at: String(row['at']),
    }
  }

  /** What was taken back stays so. How many are gone. */
  forgetGiven(): number {
    return Number(this.#forget.run().changes)
  }

  set(pluginId: string, approval: StoredApproval): void {
    const { source, digest, asked, granted, actor, at } = approval
    const lists = [JSON.stringify(asked), JSON.stringify(granted)]
    this.#set.run(pluginId, source, digest, ...lists, actor === null ? null : JSON.stringify(actor), at)
  }
}
