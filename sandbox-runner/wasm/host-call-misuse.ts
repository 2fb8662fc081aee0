import { quoted } from './guest-frame.ts'

/** The plugin asked its host for something in a wrong way: it is answered, and may go on. */
export function misuse(method: string, expected: string, found: unknown): TypeError {
  return new TypeError(`Cannot call "${method}": expected ${expected}, found ${quoted(found)}`)
}
