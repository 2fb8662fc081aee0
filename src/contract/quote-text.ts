const MAX_QUOTED_CHARS = 80

/**
 * Foreign text as part of a message: in double quotes, cut, with everything escaped that could steer a terminal
 * or turn the line round (control characters, line separators, bidirectional marks).
 */
export function quoteText(text: string): string {
  const cut = text.length > MAX_QUOTED_CHARS ? `${text.slice(0, MAX_QUOTED_CHARS)}…` : text
  return JSON.stringify(cut).replace(
    /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** Whether a text holds control characters, C1 and line separators included. */
export function hasControlCharacters(text: string): boolean {
  return /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/.test(text)
}
