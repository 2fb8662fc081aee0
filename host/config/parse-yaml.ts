import { type Document, type LineCounter, parseDocument } from 'yaml'

/** Aliases resolved in one text; each may stand for a tree that holds further ones. */
const MAX_ALIASES = 64

/** Throws what the parser throws: see `inWords`. */
export function parseYaml(text: string, lineCounter?: LineCounter): Document.Parsed {
  // `uniqueKeys` compares each key with each other: 100,000 of them took more than two minutes.
  return parseDocument(text, {
    ...(lineCounter === undefined ? {} : { lineCounter }),
    prettyErrors: false,
    stringKeys: true,
    uniqueKeys: false,
  })
}

/** Throws for an alias that names no anchor, and for aliases of aliases that would grow without end. */
export function toData(document: Document.Parsed): unknown {
  return document.toJS({ maxAliasCount: MAX_ALIASES })
}

/** The parser calls itself for each level: what it says of a thousand brackets is about its stack. */
export function inWords(message: string): string {
  return message.includes('call stack') ? 'it is nested too deeply. Take the inner levels away' : message
}
