import type { Readable } from 'node:stream'
import type { LogLevel } from '../../src/contract/execution.ts'
import { MAX_PLUGIN_TEXT_CHARS } from '../../src/contract/limits.ts'
import { captureLines, CUT_MARK } from '../observe/line-capture.ts'
import type { Redactor } from '../secrets/redactor.ts'
import { SplitRedactor } from '../secrets/split-redactor.ts'

export interface OutputLine {
  readonly source: 'stdout' | 'stderr'
  readonly level: LogLevel
  readonly message: string
}

export interface OutputPowers {
  onLine(line: OutputLine): void
  readonly redactor: Redactor
}

const MAX_BYTES_PER_SECOND = 16 * 1024 * 1024
/** Room for the words of several threads that end at once, each with its stack behind why. */
const STDERR_TAIL_CHARS = 16_384
/** Pipes close right after the exit, unless something outside of a pid namespace still holds them. */
const LAST_OUTPUT_MS = 200
const MAX_SECRET_BYTES = 64 * 1024
/** UTF-8 needs at most this many for a UTF-16 unit. */
const BYTES_PER_CHAR = 3

/** What a plugin prints, by line, and the last of what it said on stderr: V8 says there why it gives up. */
export class RunnerOutput {
  readonly #closed: Promise<unknown>
  readonly #streams: readonly Readable[]
  readonly #powers: OutputPowers
  #stderrTail = ''
  #cutBytes = 0

  constructor(streams: { stdout: Readable; stderr: Readable }, powers: OutputPowers) {
    this.#streams = [streams.stdout, streams.stderr]
    this.#powers = powers
    const captured = [
      this.#capture(streams.stdout, 'stdout', 'info'),
      this.#capture(streams.stderr, 'stderr', 'error'),
    ]
    this.#closed = Promise.all(captured)
  }

  /** Without secrets, also where one has several lines. */
  get stderrTail(): string {
    return this.#powers.redactor.redact(this.#stderrTail)
  }

  /** Bytes of lines that were longer than a log line may be; each such line says itself that it was cut. */
  get cutBytes(): number {
    return this.#cutBytes
  }

  /** The process has exited: settles when both pipes are closed, or will not be. */
  async ended(): Promise<void> {
    await Promise.race([this.#closed, new Promise((resolve) => setTimeout(resolve, LAST_OUTPUT_MS).unref())])
  }

  close(): void {
    for (const stream of this.#streams) stream.destroy()
  }

  #capture(stream: Readable, source: OutputLine['source'], level: LogLevel): Promise<void> {
    const { redactor } = this.#powers
    const lines = new SplitRedactor(redactor, (whole) => {
      const message = cut(whole)
      // Before the tail is cut: half a secret would not be recognised.
      if (source === 'stderr') this.#stderrTail = `${this.#stderrTail}${message}\n`.slice(-STDERR_TAIL_CHARS)
      this.#powers.onLine({ source, level, message })
    })
    captureLines(stream, {
      // With room for a secret that begins where the line is cut.
      maxLineBytes: () =>
        MAX_PLUGIN_TEXT_CHARS + Math.min(MAX_SECRET_BYTES, redactor.longestChars * BYTES_PER_CHAR),
      maxBytesPerSecond: MAX_BYTES_PER_SECOND,
      onLine: (printed) => lines.push(printed),
      onDropped: (bytes) => {
        this.#cutBytes += bytes
      },
    })
    return new Promise((resolve) =>
      stream.once('close', () => {
        lines.flush()
        resolve()
      }),
    )
  }
}

function cut(line: string): string {
  return line.length <= MAX_PLUGIN_TEXT_CHARS
    ? line
    : line.slice(0, MAX_PLUGIN_TEXT_CHARS - CUT_MARK.length) + CUT_MARK
}
