import type { ExecutionProgress } from '../contract/execution.ts'
import { formatDuration } from './figures.ts'
import { printableLine } from './printable.ts'
import { cutToWidth } from './table.ts'

const REDRAW_MS = 100
/** A call that ends sooner shows no line at all, so that short ones do not flicker. */
const FIRST_DRAW_MS = 300
const DEFAULT_COLUMNS = 80
const CLEAR_LINE = '\r\u001b[2K'

/** One line on a terminal, redrawn in place while a call runs and gone after it. On no terminal it is silent. */
export class ProgressLine implements Disposable {
  readonly #stream: NodeJS.WriteStream
  readonly #title: string
  readonly #startedMs = performance.now()
  readonly #timer: NodeJS.Timeout | null
  #latest: ExecutionProgress | null = null
  #isDrawn = false

  constructor(stream: NodeJS.WriteStream, title: string) {
    this.#stream = stream
    this.#title = title
    const canRedraw = stream.isTTY && process.env['TERM'] !== 'dumb'
    this.#timer = canRedraw ? setInterval(() => this.#draw(), REDRAW_MS) : null
  }

  update(progress: ExecutionProgress): void {
    this.#latest = progress
  }

  /** Words that stay, above the line. */
  say(text: string): void {
    this.#clear()
    this.#stream.write(`${text}\n`)
  }

  [Symbol.dispose](): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#clear()
  }

  #clear(): void {
    if (this.#isDrawn) this.#stream.write(CLEAR_LINE)
    this.#isDrawn = false
  }

  #draw(): void {
    const elapsedMs = performance.now() - this.#startedMs
    if (elapsedMs < FIRST_DRAW_MS) return
    const text = formatProgress(this.#title, this.#latest, elapsedMs)
    // The last column stays free: writing into it makes some terminals wrap.
    this.#stream.write(CLEAR_LINE + cutToWidth(text, (this.#stream.columns || DEFAULT_COLUMNS) - 1))
    this.#isDrawn = true
  }
}

export function formatProgress(title: string, progress: ExecutionProgress | null, elapsedMs: number): string {
  const fraction = progress?.fraction ?? null
  const message = progress?.message ?? null
  const parts = [title, formatDuration(elapsedMs)]
  if (fraction !== null) parts.push(`${Math.floor(Math.min(1, Math.max(0, fraction)) * 100)} %`)
  if (message !== null) parts.push(printableLine(message))
  return parts.join('  ')
}
