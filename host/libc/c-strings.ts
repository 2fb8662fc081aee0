import { addressOf } from './load-libc.ts'

const POINTER_BYTES = 8

/** Texts as C has them: each ends with a zero, and a row of them is a row of their addresses with a zero behind. */
export class CStrings {
  /** `char *const []`, alive as long as this object is. */
  readonly pointers: Uint8Array
  /** The addresses point in here. */
  readonly texts: ArrayBuffer

  /** @throws TypeError for a text with a zero in it, which would end there */
  constructor(texts: readonly string[]) {
    if (texts.some((text) => text.includes('\0'))) throw new TypeError('a text of C can hold no zero')
    const bytes = texts.map((text) => Buffer.from(`${text}\0`))
    this.texts = new ArrayBuffer(bytes.reduce((sum, { length }) => sum + length, 0) || 1)
    const whole = new Uint8Array(this.texts)
    const pointers = new BigUint64Array(texts.length + 1)
    const base = addressOf(this.texts)
    let at = 0
    bytes.forEach((text, index) => {
      whole.set(text, at)
      pointers[index] = base + BigInt(at)
      at += text.length
    })
    this.pointers = new Uint8Array(pointers.buffer, 0, (texts.length + 1) * POINTER_BYTES)
  }
}
