import type { AuditEvent } from './audit-log.ts'

/** So many of one kind stand in full before the rest is counted. */
const BURST = 20
/** A window with more than these is the beginning of a flood, however slow. */
const FEW = 2
const FIRST_WINDOW_MS = 10_000
const LAST_WINDOW_MS = 3_600_000
/** Kinds that are told apart at once; beyond it whoever invents new ones shares one count. */
const MAX_KEYS = 1_000
const MAX_SAMPLES = 5
const SHARED_KEY = '*'

interface Window {
  readonly event: AuditEvent
  startMs: number
  lengthMs: number
  /** How many more stand in full, and how many do. */
  left: number
  shown: number
  folded: number
  samples: Readonly<Record<string, unknown>>[]
}

/**
 * Counts what would flood the log: refusals, and what plugins do by themselves. The first ones stand in full, the
 * rest is one line for each window, and the longer it goes on the longer the windows become: otherwise a plugin
 * could push everybody else's lines out of the files that are kept.
 */
export class EventFold {
  readonly #windows = new Map<string, Window>()

  get isIdle(): boolean {
    return this.#windows.size === 0
  }

  /** Whether this event gets a line of its own; one that does not is counted. */
  admits(event: AuditEvent, nowMs: number): boolean {
    if (!mayFlood(event)) return true
    const window = this.#windowOf(event, nowMs)
    if (window.left > 0) {
      window.left -= 1
      window.shown += 1
      return true
    }
    window.folded += 1
    if (window.samples.length < MAX_SAMPLES) window.samples.push(event.details)
    return false
  }

  /** One event for each window that ended and counted something; all of them at the log's end. */
  takeDue(nowMs: number, isLast = false): AuditEvent[] {
    const due: AuditEvent[] = []
    for (const [key, window] of this.#windows) {
      if (!isLast && nowMs - window.startMs < window.lengthMs) continue
      if (window.folded > 0) due.push(toSummary(window, nowMs))
      if (isLast || window.folded + window.shown <= FEW) this.#windows.delete(key)
      else renew(window, nowMs)
    }
    return due
  }

  #windowOf(event: AuditEvent, nowMs: number): Window {
    const key = this.#keyOf(event)
    const known = this.#windows.get(key)
    if (known !== undefined) return known
    const kind =
      key === SHARED_KEY ? { ...event, action: 'audit.folded', plugin_id: null, actor: null } : event
    const window = {
      event: kind,
      startMs: nowMs,
      lengthMs: FIRST_WINDOW_MS,
      left: BURST,
      shown: 0,
      folded: 0,
      samples: [],
    }
    this.#windows.set(key, window)
    return window
  }

  /** What a client says that it is about is its own choice: it may not be what tells its refusals apart. */
  #keyOf({ action, plugin_id: pluginId, actor }: AuditEvent): string {
    const key = `${action}\n${actor === null ? pluginId : String(actor.uid)}`
    return this.#windows.has(key) || this.#windows.size < MAX_KEYS ? key : SHARED_KEY
  }
}

/** An act of a person always stands in full. */
function mayFlood({ outcome, actor, plugin_id: pluginId }: AuditEvent): boolean {
  return outcome === 'refused' || (actor === null && pluginId !== null)
}

function toSummary({ event, folded, startMs, samples }: Window, nowMs: number): AuditEvent {
  const { action, plugin_id: pluginId, outcome, actor } = event
  return {
    action,
    plugin_id: pluginId,
    outcome,
    actor,
    details: { folded, within_ms: Math.round(nowMs - startMs), samples },
  }
}

function renew(window: Window, nowMs: number): void {
  window.startMs = nowMs
  window.lengthMs = Math.min(window.lengthMs * 2, LAST_WINDOW_MS)
  window.left = 1
  window.shown = 0
  window.folded = 0
  window.samples = []
}
