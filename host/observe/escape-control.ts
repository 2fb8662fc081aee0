/**
 * C0 (but tab), DEL and C1, which terminals obey (ESC, and U+009B as its one-character CSI); line and paragraph
 * separators; and the bidirectional controls that make a line read other than it is (CVE-2021-42574).
 */
const CONTROL =
  /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g

/** Text that can be shown in a terminal and stands on one line: `ESC` becomes the four characters `\x1b`. */
export function escapeControl(text: string): string {
  return text.replace(CONTROL, (character) => {
    if (character === '\n') return '\\n'
    if (character === '\r') return '\\r'
    const code = character.charCodeAt(0)
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : toUnicodeEscape(code)
  })
}

/** The same for JSON text, which stays JSON: `JSON.stringify` itself leaves DEL, C1 and bidi controls as they are. */
export function escapeControlInJson(json: string): string {
  return json.replace(CONTROL, (character) => toUnicodeEscape(character.charCodeAt(0)))
}

function toUnicodeEscape(code: number): string {
  return `\\u${code.toString(16).padStart(4, '0')}`
}
