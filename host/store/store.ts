import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { Incident, IncidentKind } from '../../src/contract/generations.ts'
import type { ExitClass, PluginState } from '../../src/contract/life.ts'
import type { ExitInfo } from '../../src/contract/plugin-info.ts'
import { CheckpointTable } from './checkpoint-table.ts'
import { ApprovalTable } from './approval-table.ts'
import { ExecutionTable } from './execution-table.ts'
import { openDatabase } from './open-database.ts'
import { machineOrigin } from './machine-origin.ts'
import { prepareStateFolder } from './state-folder.ts'

const KEPT_EXITS_PER_PLUGIN = 100
const KEPT_INCIDENTS_PER_PLUGIN = 200

const SQL = {
  numberOf: 'SELECT number FROM plugins WHERE id = ?',
  addPlugin: `INSERT INTO plugins (id, state, first_seen, updated_at)
    VALUES (?1, 'discovered', ?2, ?2) RETURNING number`,
  saveState: `INSERT INTO plugins (id, state, version, reason, first_seen, updated_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?5)
    ON CONFLICT (id) DO UPDATE SET state = ?2, version = ?3, reason = ?4, updated_at = ?5`,
  states: 'SELECT * FROM plugins ORDER BY id',
  addExit: `INSERT INTO exits (plugin_id, generation, class, code, signal, message, at)
    VALUES (?, ?, ?, ?, ?, ?, ?)`,
  dropOldExits: `DELETE FROM exits WHERE plugin_id = ?1 AND sequence <= (SELECT sequence FROM exits
    WHERE plugin_id = ?1 ORDER BY sequence DESC LIMIT 1 OFFSET ${KEPT_EXITS_PER_PLUGIN})`,
  lastExit: 'SELECT * FROM exits WHERE plugin_id = ? ORDER BY sequence DESC LIMIT 1',
  addIncident: `INSERT INTO incidents (plugin_id, at, kind, generation, class, message, workspace, limits, log, action)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  dropOldIncidents: `DELETE FROM incidents WHERE plugin_id = ?1 AND sequence <= (SELECT sequence FROM incidents
    WHERE plugin_id = ?1 ORDER BY sequence DESC LIMIT 1 OFFSET ${KEPT_INCIDENTS_PER_PLUGIN})`,
  incidents: 'SELECT * FROM incidents WHERE plugin_id = ? ORDER BY sequence DESC LIMIT ?',
  fact: 'SELECT value FROM facts WHERE key = ?',
  dropFacts: 'DELETE FROM facts',
  setFact: 'INSERT INTO facts (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2',
} as const

export interface StoredPlugin {
  readonly id: string
  readonly number: number
  readonly state: PluginState
  readonly version: string | null
  readonly reason: string | null
  readonly firstSeen: string
  readonly updatedAt: string
}

/**
 * Opens the daemon's state. The open store is the lock of the state folder: a second one, in whatever process,
 * throws `DAEMON_ALREADY_RUNNING`.
 */
export function openStore(
  stateDirectory: string,
  now: () => Date = () => new Date(),
  letsOthersThrough = false,
): Store {
  prepareStateFolder(stateDirectory, letsOthersThrough)
  const { database, warnings } = openDatabase(stateDirectory, now())
  const store = new Store(database, warnings, now)
  const forgotten = forgetForeignApprovals(store)
  return forgotten === 0 ? store : new Store(database, [...warnings, foreignWarning(forgotten)], now)
}

const ORIGIN = 'machine_origin'

/**
 * A state folder may come along with a project that somebody else made. What was approved on another machine counts on
 * none but that: else whoever ships both a plugin and the folder approves it for who unpacks them.
 */
function forgetForeignApprovals(store: Store): number {
  const origin = machineOrigin()
  if (store.fact(ORIGIN) === origin) return 0
  let forgotten = 0
  store.together(() => {
    forgotten = store.approvals.forgetGiven()
    // What was measured there, by which limits are set.
    store.forgetFacts()
    store.setFact(ORIGIN, origin)
  })
  return forgotten
}

function foreignWarning(count: number): string {
  return (
    `${count} approvals of plugins in this state folder were given on another machine and are forgotten. ` +
    'Decide again with "phantom approve"'
  )
}

export class Store {
  /** For the daemon's log: what happened at opening. */
  readonly warnings: readonly string[]
  readonly executions: ExecutionTable
  readonly auditCheckpoints: CheckpointTable
  readonly approvals: ApprovalTable
  readonly #database: DatabaseSync
  readonly #statements: Readonly<Record<keyof typeof SQL, StatementSync>>
  readonly #now: () => Date

  constructor(database: DatabaseSync, warnings: readonly string[], now: () => Date) {
    this.#database = database
    this.warnings = warnings
    this.#now = now
    this.#statements = prepareAll(database)
    this.executions = new ExecutionTable(database)
    this.auditCheckpoints = new CheckpointTable(database)
    this.approvals = new ApprovalTable(database)
  }

  /** The plugin's number for life, given out at first sight. */
  pluginNumber(id: string): number {
    const known = this.#statements.numberOf.get(id) ?? this.#statements.addPlugin.get(id, this.#time())
    return Number(known?.['number'])
  }

  savePluginState(plugin: {
    id: string
    state: PluginState
    version: string | null
    reason: string | null
  }): void {
    this.#statements.saveState.run(plugin.id, plugin.state, plugin.version, plugin.reason, this.#time())
  }

  /** Writes all that `work` saves as one transaction: 5,000 states cost 13 ms so, and 90 one by one. */
  together(work: () => void): void {
    this.#database.exec('BEGIN')
    try {
      work()
      this.#database.exec('COMMIT')
    } catch (error) {
      // A full disk has ended the transaction already (https://www.sqlite.org/lang_transaction.html).
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK')
      throw error
    }
  }

  pluginStates(): StoredPlugin[] {
    return this.#statements.states.all().map((row) => ({
      id: String(row['id']),
      number: Number(row['number']),
      state: row['state'] as PluginState,
      version: row['version'] as string | null,
      reason: row['reason'] as string | null,
      firstSeen: String(row['first_seen']),
      updatedAt: String(row['updated_at']),
    }))
  }

  /** Keeps the last 100 of each plugin. */
  recordExit(pluginId: string, exit: ExitInfo): void {
    const { generation, code, signal, message, at } = exit
    this.#statements.addExit.run(pluginId, generation, exit.class, code, signal, message, at)
    this.#statements.dropOldExits.run(pluginId)
  }

  lastExit(pluginId: string): ExitInfo | null {
    const row = this.#statements.lastExit.get(pluginId)
    if (row === undefined) return null
    return {
      class: row['class'] as ExitClass,
      at: String(row['at']),
      generation: Number(row['generation']),
      code: row['code'] as number | null,
      signal: row['signal'] as string | null,
      message: String(row['message']),
    }
  }

  /** Keeps the last 200 of each plugin. */
  recordIncident(incident: Incident): void {
    const { plugin_id: pluginId, at, kind, generation, message, workspace, limits, log, action } = incident
    const values = [pluginId, at, kind, generation, incident.class, message, workspace]
    this.#statements.addIncident.run(...values, JSON.stringify(limits), JSON.stringify(log), action)
    this.#statements.dropOldIncidents.run(pluginId)
  }

  /** The newest first. */
  incidents(pluginId: string, limit: number): Incident[] {
    return this.#statements.incidents.all(pluginId, limit).map((row) => ({
      at: String(row['at']),
      plugin_id: pluginId,
      kind: row['kind'] as IncidentKind,
      generation: Number(row['generation']),
      class: row['class'] as ExitClass | null,
      message: String(row['message']),
      workspace: row['workspace'] as string | null,
      limits: JSON.parse(String(row['limits'])) as Record<string, number>,
      log: JSON.parse(String(row['log'])) as string[],
      action: String(row['action']),
    }))
  }

  /** A value that was measured once and is kept, such as an idle runner's memory; undefined when there is none. */
  fact(key: string): unknown {
    const row = this.#statements.fact.get(key)
    return row === undefined ? undefined : (JSON.parse(String(row['value'])) as unknown)
  }

  forgetFacts(): void {
    this.#statements.dropFacts.run()
  }

  /** `value` must be JSON. */
  setFact(key: string, value: unknown): void {
    const text: unknown = JSON.stringify(value)
    if (typeof text !== 'string') throw new TypeError(`Cannot keep the fact "${key}": its value is not JSON`)
    this.#statements.setFact.run(key, text)
  }

  /** Writes the log back into the file and frees the lock. Twice is fine. */
  close(): void {
    if (this.#database.isOpen) this.#database.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #time(): string {
    return this.#now().toISOString()
  }
}

function prepareAll(database: DatabaseSync): Record<keyof typeof SQL, StatementSync> {
  const entries = Object.entries(SQL).map(([name, sql]) => [name, database.prepare(sql)])
  return Object.fromEntries(entries) as Record<keyof typeof SQL, StatementSync>
}
