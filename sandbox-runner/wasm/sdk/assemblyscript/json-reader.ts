/**
 * JSON, read strictly from UTF-8 bytes. AssemblyScript has no exceptions: what a text is not, is said by an answer, never
 * by a trap.
 */
import { Json } from './json'
import { Decimal } from './numbers'

/** Objects and arrays inside one another, as everywhere in the system. */
const MAX_DEPTH: i32 = 128
/** More than any number has. */
const MAX_EXPONENT: i32 = 100000

/** Of the number that is read. */
const decimal = new Decimal()

/** Reads one value, and nothing behind it but white space. `failure` says what is wrong; empty when all is well. */
@final
export class JsonReader {
  failure: string = ''
  private readonly start: usize
  private readonly end: usize
  private position: usize

  constructor(pointer: usize, length: usize) {
    this.start = pointer
    this.end = pointer + length
    this.position = pointer
  }

  read(): Json {
    const value = this.value(0)
    this.skipSpace()
    if (this.failure.length == 0 && this.position < this.end) this.fail('text behind the value')
    return this.failure.length == 0 ? value : Json.none()
  }

  private value(depth: i32): Json {
    if (depth > MAX_DEPTH) return this.fail('more than ' + MAX_DEPTH.toString() + ' levels')
    this.skipSpace()
    const byte = this.peek()
    if (byte == 0x7b) return this.object(depth)
    if (byte == 0x5b) return this.array(depth)
    if (byte == 0x22) return Json.string(this.string())
    if (byte == 0x74) return this.word('true', Json.boolean(true))
    if (byte == 0x66) return this.word('false', Json.boolean(false))
    if (byte == 0x6e) return this.word('null', Json.none())
    if (byte == 0x2d || isDigit(byte)) return this.number()
    return this.fail('no value')
  }

  private object(depth: i32): Json {
    const object = Json.object()
    this.position += 1
    if (this.takes(0x7d)) return object
    while (this.failure.length == 0) {
      this.skipSpace()
      if (this.peek() != 0x22) return this.fail('no name of a member')
      const key = this.string()
      if (!this.takes(0x3a)) return this.fail('no ":"')
      object.append(key, this.value(depth + 1))
      if (this.takes(0x7d)) break
      if (!this.takes(0x2c)) return this.fail('no "," and no "}"')
    }
    return object
  }

  private array(depth: i32): Json {
    const array = Json.array()
    this.position += 1
    if (this.takes(0x5d)) return array
    while (this.failure.length == 0) {
      array.push(this.value(depth + 1))
      if (this.takes(0x5d)) break
      if (!this.takes(0x2c)) return this.fail('no "," and no "]"')
    }
    return array
  }

  private word(word: string, value: Json): Json {
    for (let i = 0; i < word.length; i++) {
      if (this.peek() != word.charCodeAt(i)) return this.fail('no value')
      this.position += 1
    }
    return value
  }

  private number(): Json {
    const isNegative = this.peek() == 0x2d
    if (isNegative) this.position += 1
    const isZero = this.peek() == 0x30
    decimal.clear()
    const whole = this.digits(false)
    if (whole == 0 || (whole > 1 && isZero)) return this.fail('no number')
    if (this.peek() == 0x2e) {
      this.position += 1
      if (this.digits(true) == 0) return this.fail('no number')
    }
    if ((this.peek() | 0x20) == 0x65 && !this.exponent()) return this.fail('no number')
    const value = decimal.toNumber()
    return Json.number(isNegative ? -value : value)
  }

  private digits(isFraction: bool): i32 {
    const from = this.position
    while (isDigit(this.peek())) {
      decimal.push(this.peek() - 0x30, isFraction)
      this.position += 1
    }
    return <i32>(this.position - from)
  }

  /** Whether there is one behind the "e". */
  private exponent(): bool {
    this.position += 1
    const isSmall = this.peek() == 0x2d
    if (isSmall || this.peek() == 0x2b) this.position += 1
    const from = this.position
    let exponent = 0
    while (isDigit(this.peek())) {
      if (exponent < MAX_EXPONENT) exponent = exponent * 10 + <i32>(this.peek() - 0x30)
      this.position += 1
    }
    decimal.exponent += isSmall ? -exponent : exponent
    return this.position > from
  }

  private string(): string {
    this.position += 1
    const from = this.position
    // Most strings are plain ASCII: then their bytes are their text.
    while (this.position < this.end) {
      const byte = load<u8>(this.position)
      if (byte == 0x22) {
        const text = String.UTF8.decodeUnsafe(from, this.position - from)
        this.position += 1
        return text
      }
      if (byte == 0x5c || byte < 0x20 || byte > 0x7e) return this.uncommonString(from)
      this.position += 1
    }
    this.fail('a string without its end')
    return ''
  }

  /** Decodes what has escapes or more than ASCII; a text has never more UTF-16 units than bytes of UTF-8. */
  private uncommonString(from: usize): string {
    let end = from
    while (end < this.end && load<u8>(end) != 0x22) end += load<u8>(end) == 0x5c ? 2 : 1
    if (end >= this.end) {
      this.fail('a string without its end')
      return ''
    }
    const units = heap.alloc((end - from) << 1)
    let filled = units
    this.position = from
    while (this.position < end && this.failure.length == 0) filled = this.character(filled)
    const text = String.UTF16.decodeUnsafe(units, filled - units)
    heap.free(units)
    this.position += 1
    return text
  }

  private character(filled: usize): usize {
    const byte = <u32>load<u8>(this.position)
    if (byte < 0x20) this.fail('a control character in a string')
    if (byte == 0x5c) return this.escape(filled)
    if (byte < 0x80) {
      this.position += 1
      store<u16>(filled, byte)
      return filled + 2
    }
    const size: u32 = byte >= 0xf0 && byte < 0xf5 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc2 ? 2 : 0
    let code: u32 = size == 4 ? byte & 0x07 : size == 3 ? byte & 0x0f : byte & 0x1f
    for (let i: u32 = 1; i < size; i++) {
      const next = this.position + i < this.end ? <u32>load<u8>(this.position + i) : 0
      code = (next & 0xc0) == 0x80 ? (code << 6) | (next & 0x3f) : 0
      if (code == 0 && i > 1) break
    }
    const least: u32 = size == 4 ? 0x10000 : size == 3 ? 0x800 : 0x80
    if (size == 0 || byte > 0xf4 || code < least || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) {
      this.fail('bytes that are no UTF-8')
      return filled
    }
    this.position += size
    if (code < 0x10000) {
      store<u16>(filled, code)
      return filled + 2
    }
    store<u16>(filled, 0xd7c0 + (code >> 10))
    store<u16>(filled, 0xdc00 + (code & 0x3ff), 2)
    return filled + 4
  }

  private escape(filled: usize): usize {
    const byte = load<u8>(this.position, 1)
    this.position += 2
    let unit: u32 = byte
    if (byte == 0x75) unit = this.hexadecimal()
    else if (byte == 0x62) unit = 8
    else if (byte == 0x66) unit = 12
    else if (byte == 0x6e) unit = 10
    else if (byte == 0x72) unit = 13
    else if (byte == 0x74) unit = 9
    else if (byte != 0x22 && byte != 0x5c && byte != 0x2f) this.fail('an unknown escape')
    store<u16>(filled, unit)
    return filled + 2
  }

  private hexadecimal(): u32 {
    let unit: u32 = 0
    for (let i = 0; i < 4; i++) {
      const byte = this.peek()
      const letter = byte | 0x20
      if (isDigit(byte)) unit = (unit << 4) | (byte - 0x30)
      else if (letter >= 0x61 && letter <= 0x66) unit = (unit << 4) | (letter - 0x57)
      else this.fail('an unknown escape')
      this.position += 1
    }
    return unit
  }

  /** Whether this byte comes next, behind white space; then it is taken. */
  private takes(byte: u32): bool {
    this.skipSpace()
    if (this.peek() != byte) return false
    this.position += 1
    return true
  }

  private skipSpace(): void {
    while (this.position < this.end) {
      const byte = load<u8>(this.position)
      if (byte != 0x20 && byte != 0x0a && byte != 0x0d && byte != 0x09) return
      this.position += 1
    }
  }

  /** The next byte; 0, which no JSON text has, at the end. */
  private peek(): u32 {
    return this.position < this.end ? <u32>load<u8>(this.position) : 0
  }

  private fail(what: string): Json {
    if (this.failure.length == 0) this.failure = what + ' at byte ' + (this.position - this.start).toString()
    return Json.none()
  }
}

@inline
function isDigit(byte: u32): bool {
  return byte >= 0x30 && byte <= 0x39
}
