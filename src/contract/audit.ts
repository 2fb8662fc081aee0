/** Words of the audit log: its lines, and what a verification of them says. */

/** `begun`: an act that was allowed and set about; a later line says how it ended. */
export type AuditOutcome = 'begun' | 'done' | 'refused' | 'failed'

/** Who asked for something. */
export interface AuditActor {
  /** What the kernel says of the peer; null where it could not be asked. */
  readonly uid: number | null
  readonly gid: number | null
  readonly pid: number | null
  /** The peer's command line, as far as it could be read. */
  readonly command: string | null
  /** What the client called itself at its handshake: believed by nobody. */
  readonly client: string | null
  /** In words: how far the above is known. */
  readonly identity: string
}

/** One line of the audit log. */
export interface AuditRecord {
  readonly sequence: number
  readonly time: string
  /** Dotted: `admin.reload_plugin`, `call.denied`, … */
  readonly action: string
  readonly plugin_id: string | null
  readonly outcome: AuditOutcome
  /** Null: the daemon itself. */
  readonly actor: AuditActor | null
  readonly details: Readonly<Record<string, unknown>>
  /** `hash` of the line before; 64 zeros in the first one. */
  readonly previous: string
  /** SHA-256 of this line as it stands, without this member. */
  readonly hash: string
}

/** What is wrong with the audit log, and where. */
export interface AuditProblem {
  /** `broken`: a record in which the daemon itself says that it found the log other than it had left it. */
  readonly kind: 'changed' | 'missing' | 'forged' | 'reordered' | 'cut' | 'torn' | 'broken'
  readonly file: string
  readonly line: number
  readonly message: string
}

export interface AuditVerification {
  readonly ok: boolean
  readonly records: number
  readonly first_sequence: number | null
  readonly last_sequence: number | null
  /** Of the last line: whoever keeps it elsewhere can later compare. */
  readonly last_hash: string | null
  readonly files: readonly string[]
  /** How many checkpoints of the state database were compared. */
  readonly checkpoints: number
  readonly problems: readonly AuditProblem[]
  /** What could not be proven, in words. */
  readonly notes: readonly string[]
}
