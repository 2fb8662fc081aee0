import type { Readable } from 'node:stream'

const DEFAULT_MAX_BYTES_PER_SECOND = 16 * 1024 * 1024
const WINDOW_MS = 100
/**
 * What a line costs at least: a stream of bare newlines must not buy a million lines with a megabyte. What a window
 * brings is taken in one go, and everybody else waits for it: 800 lines, 1 ms.
 */
const LINE_COST_BYTES = 2048
const NEWLINE = 0x0a
const CARRIAGE_RETURN = 0x0d
export const CUT_MARK = ' … (cut)'

export interface LineCaptureOptions {
  /** Asked for each part of a line. */
  readonly maxLineBytes: () => number
  /** Above it the stream is not read until the next window of 100 ms: its writer waits, nobody else does. */
  readonly maxBytesPerSecond?: number
  /** A line without its end, as UTF-8; one that was too long is cut and says so at its end. */
  readonly onLine: (text: string) => void
  /** What was cut off one line, told when that line ends. */
  readonly onDropped: (bytes: number) => void
}

/** Splits a child's stdout or stderr into lines, in bounded memory whatever comes. */
export function captureLines(stream: Readable, options: LineCaptureOptions): { close: () => void } {
  const capture = new LineCapture(stream, options)
  return { close: () => capture.close() }
}

class LineCapture {
  readonly #stream: Readable
  readonly #options: LineCaptureOptions
  readonly #windowBytes: number
  /** The bytes of the line that has begun: at most `maxLineBytes`. */
  #line: Buffer[] = []
  #lineBytes = 0
  #droppedBytes = 0
  /** What of the last chunk has to wait for the next window. */
  #waiting: Buffer | null = null
  #spentBytes = 0
  #windowEndsAtMs = 0
  #timer: NodeJS.Timeout | null = null
  #hasEnded = false
  #isClosed = false

  constructor(stream: Readable, options: LineCaptureOptions) {
    this.#stream = stream
    this.#options = options
    this.#windowBytes = ((options.maxBytesPerSecond ?? DEFAULT_MAX_BYTES_PER_SECOND) * WINDOW_MS) / 1000
    stream.on('data', this.#onData)
    stream.on('end', this.#onEnd)
    stream.on('close', this.#onEnd)
    // A broken pipe ends in 'close'; there is nobody to tell that the child does not tell better.
    stream.on('error', ignoreError)
  }

  /** Reads no more; the line that has begun is told. */
  close(): void {
    if (this.#isClosed) return
    this.#droppedBytes += this.#waiting?.length ?? 0
    this.#finish()
    this.#stream.destroy()
  }

  readonly #onData = (chunk: Buffer): void => {
    if (this.#waiting === null) this.#take(chunk)
    // Node lets a child's streams flow once it has exited, held or not: what the pipe held comes on top.
    else this.#waiting = Buffer.concat([this.#waiting, chunk])
  }

  readonly #onEnd = (): void => {
    this.#hasEnded = true
    if (this.#waiting === null) this.#finish()
  }

  #take(chunk: Buffer): void {
    const now = performance.now()
    if (now >= this.#windowEndsAtMs) {
      this.#windowEndsAtMs = now + WINDOW_MS
      this.#spentBytes = 0
    }
    let at = 0
    while (at < chunk.length && this.#spentBytes < this.#windowBytes && !this.#isClosed) {
      const newline = chunk.indexOf(NEWLINE, at)
      const end = newline === -1 ? chunk.length : newline
      this.#collect(chunk.subarray(at, end))
      this.#spentBytes += newline === -1 ? end - at : Math.max(LINE_COST_BYTES, end - at)
      if (newline !== -1) this.#endLine()
      at = end + 1
    }
    if (at < chunk.length || this.#spentBytes >= this.#windowBytes) this.#wait(chunk.subarray(at), now)
  }

  #wait(rest: Buffer, now: number): void {
    if (this.#isClosed) return
    this.#waiting = rest
    this.#stream.pause()
    this.#timer = setTimeout(() => this.#goOn(), Math.max(1, this.#windowEndsAtMs - now))
  }

  #goOn(): void {
    const rest = this.#waiting ?? Buffer.alloc(0)
    this.#waiting = null
    this.#timer = null
    // A timer may fire a fraction of a millisecond early; this one is the end of its window.
    this.#windowEndsAtMs = 0
    this.#take(rest)
    if (this.#waiting !== null || this.#isClosed) return
    if (this.#hasEnded) this.#finish()
    else this.#stream.resume()
  }

  #collect(bytes: Buffer): void {
    const room = Math.max(0, this.#options.maxLineBytes() - this.#lineBytes)
    // A copy: a view of a few bytes would keep the whole chunk of 64 KiB alive.
    const kept = Buffer.from(bytes.subarray(0, room))
    if (kept.length > 0) this.#line.push(kept)
    this.#lineBytes += kept.length
    this.#droppedBytes += bytes.length - kept.length
  }

  #endLine(): void {
    const bytes = this.#line.length === 1 ? (this.#line[0] ?? Buffer.alloc(0)) : Buffer.concat(this.#line)
    const droppedBytes = this.#droppedBytes
    this.#line = []
    this.#lineBytes = 0
    this.#droppedBytes = 0
    const isCrlf = droppedBytes === 0 && bytes.at(-1) === CARRIAGE_RETURN
    const text = bytes.toString('utf8', 0, isCrlf ? bytes.length - 1 : bytes.length)
    this.#options.onLine(droppedBytes === 0 ? text : text + CUT_MARK)
    if (droppedBytes > 0) this.#options.onDropped(droppedBytes)
  }

  #finish(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#stream.off('data', this.#onData)
    this.#stream.off('end', this.#onEnd)
    this.#stream.off('close', this.#onEnd)
    if (this.#lineBytes > 0 || this.#droppedBytes > 0) this.#endLine()
  }
}

function ignoreError(): void {}
