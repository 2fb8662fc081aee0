/** Reads the `--input` of `phantom run`, and the like: JSON itself, `@file`, or `-` for stdin. */
import { messageOf, PhantomError } from '../contract/phantom-error.ts'
import { quoteText } from '../contract/quote-text.ts'
import { printableLine } from './printable.ts'
import { readStdin, readTextFile } from './text-file.ts'

/** Characters of the broken line that are shown on each side of the mistake. */
const CONTEXT_CHARS = 30

export async function readInput(argument: string | undefined, option = '--input'): Promise<unknown> {
  if (argument === undefined) return undefined
  if (argument === '-') return parseInput(await readStdin('JSON'), 'stdin')
  if (argument.startsWith('@'))
    return parseInput(await readTextFile(argument.slice(1), 'JSON'), `"${argument.slice(1)}"`)
  return parseInput(argument, option)
}

/** @throws PhantomError PARSE_ERROR that shows the line with a caret below the mistake. */
export function parseInput(text: string, source: string): unknown {
  const body = text.startsWith('\ufeff') ? text.slice(1) : text
  try {
    return JSON.parse(body)
  } catch (cause) {
    throw parseError(body, source, cause)
  }
}

/**
 * Where JSON stops being JSON. V8 names the position in some of its messages only, so it is looked for: a text
 * up to the mistake could still go on, a text beyond it never can.
 */
export function findJsonMistake(text: string): number {
  let viable = 0
  let broken = text.length + 1
  while (broken - viable > 1) {
    const middle = (viable + broken) >> 1
    if (couldGoOn(text.slice(0, middle))) viable = middle
    else broken = middle
  }
  return viable
}

function couldGoOn(prefix: string): boolean {
  try {
    JSON.parse(prefix)
    return true
  } catch (error) {
    const message = error instanceof Error ? error.message : ''
    if (message.startsWith('Unexpected end of JSON input')) return true
    return Number(/ at position (\d+)/.exec(message)?.[1]) === prefix.length
  }
}

function parseError(text: string, source: string, cause: unknown): PhantomError {
  const offset = findJsonMistake(text)
  const before = text.slice(0, offset)
  const line = before.split('\n').length
  const column = offset - before.lastIndexOf('\n')
  const character = text.codePointAt(offset)
  const found = character === undefined ? 'the end of the input' : quoteText(String.fromCodePoint(character))
  // V8 says what it expected in most cases; after "Unexpected token" it quotes the input, without a position.
  const expected = /^(?!Unexpected token)(.+?) (?:in JSON )?at position \d/.exec(messageOf(cause))?.[1]
  const advice = source.startsWith('--')
    ? `Put keys and texts in double quotes and the whole in single quotes, or name a file: ${source} @file.json`
    : 'Mend it there; keys and texts stand in double quotes, and nothing follows the last element'
  return new PhantomError(
    'PARSE_ERROR',
    `Cannot read ${source} as JSON: line ${line}, column ${column}: ${expected ?? 'JSON cannot go on'}, found ${found}. ${advice}` +
      (text.trim() === '' ? '' : `\n${caretLines(text, offset)}`),
    { cause, details: { source, line, column, offset } },
  )
}

function caretLines(text: string, offset: number): string {
  const lineStart = text.lastIndexOf('\n', offset - 1) + 1
  const nextBreak = text.indexOf('\n', offset)
  const lineEnd = nextBreak === -1 ? text.length : nextBreak
  const start = Math.max(lineStart, offset - CONTEXT_CHARS)
  const end = Math.min(lineEnd, offset + CONTEXT_CHARS)
  const lead = (start > lineStart ? '…' : '') + printableLine(text.slice(start, offset))
  return `  ${lead}${printableLine(text.slice(offset, end))}${end < lineEnd ? '…' : ''}\n  ${' '.repeat(lead.length)}^`
}
