/**
 * Log lines, descriptions and errors come from plugins, and a terminal obeys the control characters in them:
 * they could repaint the screen or forge our own words. Shown as `\x1b`, they do nothing.
 */

// C0 but tab and newline, DEL, C1, line separators, and the marks that turn the reading direction (CVE-2021-42574).
const UNSAFE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g
// JSON escapes C0 by itself; the others are legal in its strings and must stay equal when parsed again.
const UNSAFE_IN_JSON = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g

/** Keeps newlines and tabs. */
export function printable(text: string): string {
  return text.replace(UNSAFE, (character) => {
    const code = character.charCodeAt(0)
    return code <= 0xff ? `\\x${code.toString(16).padStart(2, '0')}` : unicodeEscape(character)
  })
}

/** For cells and progress: newlines and tabs become visible, too. */
export function printableLine(text: string): string {
  return printable(text).replaceAll('\n', '\\n').replaceAll('\t', '\\t')
}

export function printableJson(value: unknown, indent?: number): string {
  return (JSON.stringify(value, null, indent) ?? 'null').replace(UNSAFE_IN_JSON, unicodeEscape)
}

function unicodeEscape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}
