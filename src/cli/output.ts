import { styleText } from 'node:util'
import { printableJson } from './printable.ts'

type Format = Parameters<typeof styleText>[0]

/** Colour where the stream is a terminal and neither NO_COLOR nor `--no-color` forbids it. */
export function paint(format: Format, text: string, stream: NodeJS.WritableStream = process.stdout): string {
  return styleText(format, text, { stream })
}

export function printLine(text = ''): void {
  process.stdout.write(`${text}\n`)
}

export function printLines(lines: readonly string[]): void {
  for (const line of lines) printLine(line)
}

/** Words for people that are no result: warnings, hints. */
export function noteLine(text: string): void {
  process.stderr.write(`${text}\n`)
}

/** One document; `logs` alone prints one a line. */
export function printJson(value: unknown): void {
  printLine(printableJson(value, 2))
}

export function printJsonLine(value: unknown): void {
  printLine(printableJson(value))
}
