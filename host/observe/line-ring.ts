import type { PluginLogLine } from '../../src/contract/execution.ts'

const MAX_LINES = 1000
/** A thousand lines of the longest kind would be 16 MB a plugin. */
const MAX_CHARS = 1024 * 1024

/** The last lines of one plugin, bounded in number and in size. */
export class LineRing {
  #lines: PluginLogLine[] = []
  #chars = 0

  push(line: PluginLogLine): void {
    this.#lines.push(line)
    this.#chars += line.message.length
    // Shifts are made in bulk: one at a time would move the whole array for every line.
    if (this.#lines.length >= 2 * MAX_LINES || this.#chars >= 2 * MAX_CHARS) this.#trim()
  }

  lines(): readonly PluginLogLine[] {
    this.#trim()
    return this.#lines
  }

  #trim(): void {
    let first = this.#lines.length
    let chars = 0
    while (first > 0 && this.#lines.length - first < MAX_LINES) {
      const next = chars + (this.#lines[first - 1]?.message.length ?? 0)
      if (next > MAX_CHARS) break
      chars = next
      first -= 1
    }
    this.#lines = this.#lines.slice(first)
    this.#chars = chars
  }
}
