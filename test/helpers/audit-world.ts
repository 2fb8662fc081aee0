import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { AuditLog, type AuditEvent, type AuditLogOptions } from '../../host/audit/audit-log.ts'
import { openStore, type Store } from '../../host/store/store.ts'
import type { AuditRecord, AuditVerification } from '../../src/contract/audit.ts'

/** A state folder with an audit log in it, opened and closed as a daemon would. */
export class AuditWorld {
  readonly folder: string
  readonly errors: unknown[] = []
  nowMs = Date.parse('2026-01-01T00:00:00Z')
  #store: Store | null = null
  #log: AuditLog | null = null

  constructor(folder = fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-audit-'))) {
    this.folder = folder
  }

  get log(): AuditLog {
    return this.#log!
  }

  open(options: Partial<AuditLogOptions> = {}): AuditLog {
    this.#store = openStore(this.folder)
    this.#log = new AuditLog({
      stateDirectory: this.folder,
      checkpoints: this.#store.auditCheckpoints,
      maxFileBytes: 1024 * 1024,
      maxFiles: 10,
      redact: (text) => text.replaceAll('hunter22', '[secret]'),
      now: () => this.nowMs,
      onError: (error) => this.errors.push(error),
      ...options,
    })
    return this.#log
  }

  async close(): Promise<void> {
    await this.#log?.close()
    this.#store?.close()
    this.#log = null
    this.#store = null
  }

  /** Some acts, on the disk. */
  async write(count: number, change: Partial<AuditEvent> = {}): Promise<void> {
    for (let i = 0; i < count; i += 1)
      this.log.record({ ...anAct, ...change, details: { i, ...change.details } })
    await this.log.settled()
  }

  /** Opens it, verifies it, and closes it: as a daemon that starts. */
  async reopenAndVerify(): Promise<AuditVerification> {
    this.open()
    try {
      return await this.log.verify()
    } finally {
      await this.close()
    }
  }

  lines(name = 'audit.jsonl'): string[] {
    return fs.readFileSync(path.join(this.folder, name), 'utf8').trimEnd().split('\n')
  }

  records(name = 'audit.jsonl'): AuditRecord[] {
    return this.lines(name).map((line) => JSON.parse(line) as AuditRecord)
  }

  setLines(lines: readonly string[], name = 'audit.jsonl'): void {
    fs.writeFileSync(path.join(this.folder, name), lines.map((line) => `${line}\n`).join(''))
  }

  files(): string[] {
    return fs.readdirSync(this.folder).filter((name) => name.startsWith('audit.'))
  }

  async remove(): Promise<void> {
    await this.close()
    fs.rmSync(this.folder, { recursive: true, force: true })
  }
}

export const anAct: AuditEvent = {
  action: 'admin.reload_plugin',
  plugin_id: 'sample',
  outcome: 'done',
  actor: { uid: 0, gid: 0, pid: 1, command: 'phantom', client: 'test', identity: 'peer credentials' },
  details: {},
}
