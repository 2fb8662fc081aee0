/** `--watch`: asks again and again and shows the answer, in place where that is a terminal, until Ctrl-C. */
import { setTimeout } from 'node:timers/promises'
import { CLI_EXIT_CODES } from '../contract/exit-codes.ts'
import { Interrupt } from './interrupt.ts'
import { printJson, printJsonLine, printLine, printLines } from './output.ts'

const INTERVAL_MS = 1_000
const HOME = '\u001b[H'
const CLEAR_SCREEN = '\u001b[2J'
const CLEAR_BELOW = '\u001b[J'
const CLEAR_LINE_END = '\u001b[K'

export interface Shown<T> {
  ask: () => Promise<T>
  format: (answer: T) => string[]
  json: boolean
}

/** Asks once. Returns what was shown. */
export async function showOnce<T>({ ask, format, json }: Shown<T>): Promise<T> {
  const answer = await ask()
  if (json) printJson(answer)
  else printLines(format(answer))
  return answer
}

/** With `json` one document a line. A daemon that goes away ends it: then `ask` rejects. */
export async function watch<T>({ ask, format, json }: Shown<T>): Promise<void> {
  using interrupt = new Interrupt(() => undefined)
  const isInPlace = !json && process.stdout.isTTY && process.env['TERM'] !== 'dumb'
  if (isInPlace) process.stdout.write(CLEAR_SCREEN)
  while (!interrupt.signal.aborted) {
    const answer = await ask()
    if (json) printJsonLine(answer)
    else if (isInPlace) process.stdout.write(toScreen(format(answer), process.stdout.rows))
    else printBlock(format(answer))
    await setTimeout(INTERVAL_MS, undefined, { signal: interrupt.signal }).catch(() => undefined) // aborts by Ctrl-C alone
  }
  process.exitCode = CLI_EXIT_CODES.interrupted
}

/** What repaints a screen of so many rows; more would scroll, and the next picture then stand below it. */
export function toScreen(lines: readonly string[], rows: number): string {
  const shown = lines.slice(0, Math.max(1, rows - 1))
  return HOME + shown.map((line) => `${line}${CLEAR_LINE_END}\n`).join('') + CLEAR_BELOW
}

function printBlock(lines: readonly string[]): void {
  printLines(lines)
  printLine()
}
