/** The text of a plugin's configuration, YAML or JSON, and the places in it. */
import { LineCounter, parseDocument, type Document } from 'yaml'
import { messageOf, PhantomError } from '../contract/phantom-error.ts'
import type { PluginConfigFile, PluginConfigValidation } from '../contract/plugin-config.ts'
import { stepsOf } from './config-keys.ts'

/** Aliases resolved in one text; each may stand for a tree that holds further ones. */
const MAX_ALIASES = 64

export interface ConfigText {
  file: string
  config: PluginConfigFile
  /** Where the value is, or the nearest one around it that stands in the text. */
  placeOf: (field: string) => Place
}

interface Place {
  line: number
  column: number
}

/** @throws PhantomError CONFIG_INVALID with file, line and column */
export function parseConfigText(text: string, file: string): ConfigText {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, stringKeys: true })
  const [mistake] = document.errors
  if (mistake !== undefined) {
    const place = placeAt(lines, mistake.pos[0])
    throw invalid(file, place, `Cannot read YAML: ${mistake.message}. Mend that line`, mistake)
  }
  const data = dataOf(document, file) ?? {}
  if (typeof data === 'object' && !Array.isArray(data)) {
    return { file, config: data as PluginConfigFile, placeOf: (field) => placeIn(document, lines, field) }
  }
  const found = Array.isArray(data) ? 'a list' : `a ${typeof data}`
  throw invalid(
    file,
    { line: 1, column: 1 },
    `Cannot use it: found ${found}, expected keys. Write KEY: VALUE lines`,
  )
}

/** The daemon checks values and sees no text: it is we who know the places. */
export function withPlaces(validation: PluginConfigValidation, text: ConfigText): PluginConfigValidation {
  const issues = validation.issues.map((issue) => ({
    ...issue,
    file: text.file,
    ...text.placeOf(issue.field),
  }))
  return { ...validation, issues }
}

function dataOf(document: Document.Parsed, file: string): unknown {
  try {
    return document.toJS({ maxAliasCount: MAX_ALIASES })
  } catch (cause) {
    const message = `Cannot read YAML: ${messageOf(cause)}. Write the values out`
    throw invalid(file, { line: 1, column: 1 }, message, cause)
  }
}

function placeIn(document: Document, lines: LineCounter, field: string): Place {
  for (let steps = stepsOf(field) ?? []; steps.length > 0; steps = steps.slice(0, -1)) {
    const node = document.getIn(steps, true) as { range?: readonly number[] } | undefined
    const start = node?.range?.[0]
    if (start !== undefined) return placeAt(lines, start)
  }
  return { line: 1, column: 1 }
}

function placeAt(lines: LineCounter, offset: number): Place {
  const { line, col } = lines.linePos(offset)
  return { line: Math.max(1, line), column: Math.max(1, col) }
}

function invalid(file: string, place: Place, what: string, cause?: unknown): PhantomError {
  return new PhantomError('CONFIG_INVALID', `${file}:${place.line}:${place.column}: ${what}`, {
    details: { path: file, ...place },
    cause,
  })
}
