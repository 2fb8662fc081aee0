import type { ErrorWindow } from '../metrics/plugin-metrics.ts'
import type { PluginRecord } from '../registry/plugin-record.ts'
import type { Generation } from './generation.ts'

export interface ProbationOptions {
  readonly limits: () => { readonly probationMs: number; readonly probationErrorRate: number }
  readonly onFailed: (plugin: PluginRecord, generation: Generation, reason: string) => void
}

const LOOK_MS = 200
/** With fewer calls a share of errors says nothing. */
const MIN_CALLS = 5

interface Watched {
  readonly generation: Generation
  readonly before: Generation
  readonly endMs: number
}

/** Watches each new generation for a while: one that fails more of its calls than the one before is taken back. */
export class Probation {
  readonly #options: ProbationOptions
  readonly #watched = new Map<PluginRecord, Watched>()
  #timer: NodeJS.Timeout | null = null

  constructor(options: ProbationOptions) {
    this.#options = options
  }

  watch(plugin: PluginRecord, generation: Generation, before: Generation): void {
    const endMs = performance.now() + this.#options.limits().probationMs
    this.#watched.set(plugin, { generation, before, endMs })
    this.#timer ??= setInterval(() => this.#look(), LOOK_MS)
    this.#timer.unref()
  }

  /** It failed in a way that needs no counting. */
  fail(plugin: PluginRecord, reason: string): void {
    const watched = this.#watched.get(plugin)
    if (watched?.generation !== plugin.current || watched === undefined) return
    this.#end(plugin)
    this.#options.onFailed(plugin, watched.generation, reason)
  }

  forget(plugin: PluginRecord): void {
    if (this.#watched.has(plugin)) this.#end(plugin)
  }

  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
    this.#watched.clear()
  }

  #look(): void {
    const nowMs = performance.now()
    for (const [plugin, watched] of this.#watched) {
      const { generation, before, endMs } = watched
      const now = plugin.metrics.window(generation.number)
      const then = plugin.metrics.window(before.number)
      const isWorse = rateOf(now) > rateOf(then) + this.#options.limits().probationErrorRate
      if (plugin.current !== generation) this.#end(plugin)
      else if (now.calls >= MIN_CALLS && isWorse) this.fail(plugin, words(now, then))
      else if (nowMs >= endMs) this.#pass(plugin, generation)
    }
  }

  #pass(plugin: PluginRecord, generation: Generation): void {
    generation.state = 'current'
    this.#end(plugin)
  }

  #end(plugin: PluginRecord): void {
    this.#watched.delete(plugin)
    if (this.#watched.size > 0 || this.#timer === null) return
    clearInterval(this.#timer)
    this.#timer = null
  }
}

function rateOf({ calls, errors }: ErrorWindow): number {
  return calls === 0 ? 0 : errors / calls
}

function words(now: ErrorWindow, then: ErrorWindow): string {
  const share = (window: ErrorWindow): string => `${Math.round(rateOf(window) * 100)} %`
  return `${now.errors} of its first ${now.calls} calls failed (${share(now)}), of the generation before ${share(then)}`
}
