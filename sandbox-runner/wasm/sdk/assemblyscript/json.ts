/**
 * JSON, read strictly from UTF-8 bytes and written to them. Numbers are f64, as in JavaScript. AssemblyScript has no
 * exceptions: what a text or a value is not, is said by an answer, never by a trap.
 */
import { Decimal, numberText } from './numbers'

/** Objects and arrays inside one another, as everywhere in the system. */
const MAX_DEPTH: i32 = 128
/** More than any number has. */
const MAX_EXPONENT: i32 = 100000

/** What one unit of a text takes at most, as an escape or as UTF-8. */
const ROOM_BYTES: usize = 6
const STRIDE: i32 = 65536

export enum JsonKind {
  NULL,
  BOOLEAN,
  NUMBER,
  STRING,
  ARRAY,
  OBJECT,
}

/** Of the number that is read. */
const decimal = new Decimal()
const NO_ITEMS: Json[] = []
const NO_KEYS: string[] = []

/** One JSON value. `get` and `at` answer null's value where there is nothing, so that a path can be followed. */
@final
export class Json {
  private words: string = ''
  private members: Json[] = NO_ITEMS
  private names: string[] = NO_KEYS

  constructor(
    readonly kind: JsonKind,
    private readonly value: f64 = 0,
  ) {}

  static none(): Json {
    return NONE
  }

  static boolean(value: bool): Json {
    return value ? TRUE : FALSE
  }

  static number(value: f64): Json {
    return new Json(JsonKind.NUMBER, value)
  }

  static string(value: string): Json {
    const json = new Json(JsonKind.STRING)
    json.words = value
    return json
  }

  static array(): Json {
    const json = new Json(JsonKind.ARRAY)
    json.members = []
    return json
  }

  static object(): Json {
    const json = new Json(JsonKind.OBJECT)
    json.members = []
    json.names = []
    return json
  }

  get isNull(): bool {
    return this.kind == JsonKind.NULL
  }
  get isNumber(): bool {
    return this.kind == JsonKind.NUMBER
  }
  get isString(): bool {
    return this.kind == JsonKind.STRING
  }
  get isArray(): bool {
    return this.kind == JsonKind.ARRAY
  }
  get isObject(): bool {
    return this.kind == JsonKind.OBJECT
  }

  /** Of an array its items, of an object its members; otherwise 0. */
  get length(): i32 {
    return this.members.length
  }

  toBoolean(otherwise: bool = false): bool {
    return this.kind == JsonKind.BOOLEAN ? this.value != 0 : otherwise
  }

  toNumber(otherwise: f64 = NaN): f64 {
    return this.kind == JsonKind.NUMBER ? this.value : otherwise
  }

  toText(otherwise: string = ''): string {
    return this.kind == JsonKind.STRING ? this.words : otherwise
  }

  /** An item of an array, or a member of an object by its place. */
  at(index: i32): Json {
    return index >= 0 && index < this.members.length ? unchecked(this.members[index]) : NONE
  }

  keyAt(index: i32): string {
    return index >= 0 && index < this.names.length ? unchecked(this.names[index]) : ''
  }

  has(key: string): bool {
    return this.names.includes(key)
  }

  get(key: string): Json {
    const index = this.names.lastIndexOf(key)
    return index < 0 ? NONE : unchecked(this.members[index])
  }

  /** Sets a member of an object; returns the object, to go on. */
  set(key: string, value: Json): Json {
    if (this.kind != JsonKind.OBJECT) throw new TypeError('Cannot set a member: this JSON value is no object')
    const index = this.names.lastIndexOf(key)
    if (index < 0) return this.append(key, value)
    this.members[index] = value
    return this
  }

  setText(key: string, value: string): Json {
    return this.set(key, Json.string(value))
  }

  setNumber(key: string, value: f64): Json {
    return this.set(key, Json.number(value))
  }

  setBoolean(key: string, value: bool): Json {
    return this.set(key, Json.boolean(value))
  }

  /** Adds an item to an array; returns the array, to go on. */
  push(value: Json): Json {
    if (this.kind != JsonKind.ARRAY) throw new TypeError('Cannot add an item: this JSON value is no array')
    this.members.push(value)
    return this
  }

  toString(): string {
    const writer = new JsonWriter(64)
    writer.json(this)
    const text = String.UTF8.decodeUnsafe(writer.pointer, writer.length)
    writer.free()
    return text
  }

  /** Like `set`, without a look at the other names: of equal ones the last counts. */
  append(key: string, value: Json): Json {
    this.names.push(key)
    this.members.push(value)
    return this
  }
}

const NONE = new Json(JsonKind.NULL)
const FALSE = new Json(JsonKind.BOOLEAN)
const TRUE = new Json(JsonKind.BOOLEAN, 1)

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
    return this.failure.length == 0 ? value : NONE
  }

  private value(depth: i32): Json {
    if (depth > MAX_DEPTH) return this.fail('more than ' + MAX_DEPTH.toString() + ' levels')
    this.skipSpace()
    const byte = this.peek()
    if (byte == 0x7b) return this.object(depth)
    if (byte == 0x5b) return this.array(depth)
    if (byte == 0x22) return Json.string(this.string())
    if (byte == 0x74) return this.word('true', TRUE)
    if (byte == 0x66) return this.word('false', FALSE)
    if (byte == 0x6e) return this.word('null', NONE)
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
    return NONE
  }
}

@inline
function isDigit(byte: u32): bool {
  return byte >= 0x30 && byte <= 0x39
}

/** Bytes that grow, outside of what is collected: whoever takes them must free them by `heap.free`. */
@final
export class JsonWriter {
  pointer: usize
  length: usize = 0
  private capacity: usize

  constructor(capacity: usize) {
    this.capacity = capacity
    this.pointer = heap.alloc(capacity)
  }

  /** Begins anew, where what it had was taken. */
  restart(capacity: usize): void {
    this.pointer = heap.alloc(capacity)
    this.capacity = capacity
    this.length = 0
  }

  reserve(more: usize): void {
    const needed = this.length + more
    if (needed <= this.capacity) return
    this.capacity = max(needed, this.capacity << 1)
    this.pointer = heap.realloc(this.pointer, this.capacity)
  }

  byte(byte: u8): void {
    this.reserve(1)
    store<u8>(this.pointer + this.length, byte)
    this.length += 1
  }

  bytes(pointer: usize, length: usize): void {
    this.reserve(length)
    memory.copy(this.pointer + this.length, pointer, length)
    this.length += length
  }

  buffer(bytes: ArrayBuffer): void {
    this.bytes(changetype<usize>(bytes), bytes.byteLength)
  }

  /** Text that is ASCII and JSON already. */
  raw(text: string): void {
    this.reserve(text.length)
    for (let i = 0; i < text.length; i++) {
      store<u8>(this.pointer + this.length + i, <u8>load<u16>(changetype<usize>(text) + (<usize>i << 1)))
    }
    this.length += text.length
  }

  digits(value: u64): void {
    let count = 1
    for (let rest = value; rest > 9; rest /= 10) count++
    this.reserve(count)
    let at = this.pointer + this.length + count
    do {
      store<u8>(--at, 0x30 + <u8>(value % 10))
      value /= 10
    } while (value > 0)
    this.length += count
  }

  json(value: Json): void {
    const kind = value.kind
    if (kind == JsonKind.NULL) this.raw('null')
    else if (kind == JsonKind.BOOLEAN) this.raw(value.toBoolean() ? 'true' : 'false')
    else if (kind == JsonKind.NUMBER) this.number(value.toNumber())
    else if (kind == JsonKind.STRING) this.string(value.toText())
    else this.list(value)
  }

  number(value: f64): void {
    this.raw(numberText(value))
  }

  string(text: string): void {
    this.byte(0x22)
    let to = this.pointer + this.length
    for (let i = 0, count = text.length; i < count; i++) {
      if (<usize>(to - this.pointer) + ROOM_BYTES > this.capacity) {
        this.length = to - this.pointer
        this.reserve(ROOM_BYTES + min(count - i, STRIDE))
        to = this.pointer + this.length
      }
      const unit = <u32>text.charCodeAt(i)
      if (unit >= 0x20 && unit < 0x80 && unit != 0x22 && unit != 0x5c) {
        store<u8>(to++, unit)
      } else if (unit < 0x80) {
        to = writeEscape(to, unit)
      } else if (unit < 0x800) {
        store<u8>(to, 0xc0 | (unit >> 6))
        store<u8>(to, 0x80 | (unit & 0x3f), 1)
        to += 2
      } else if (unit < 0xd800 || unit > 0xdfff) {
        to = writeThree(to, unit)
      } else {
        const next: u32 = unit < 0xdc00 && i + 1 < count ? <u32>text.charCodeAt(i + 1) : 0
        if ((next & 0xfc00) == 0xdc00) {
          to = writeFour(to, 0x10000 + ((unit & 0x3ff) << 10) + (next & 0x3ff))
          i += 1
        } else to = writeHexadecimal(to, unit)
      }
    }
    this.length = to - this.pointer
    this.byte(0x22)
  }

  /** The bytes as a range of an answer, `pointer << 32 | length`: they are the taker's now. */
  take(): u64 {
    return (<u64>this.pointer << 32) | <u64>this.length
  }

  free(): void {
    heap.free(this.pointer)
  }

  private list(value: Json): void {
    const isObject = value.isObject
    this.byte(isObject ? 0x7b : 0x5b)
    for (let i = 0, count = value.length; i < count; i++) {
      if (i > 0) this.byte(0x2c)
      if (isObject) {
        this.string(value.keyAt(i))
        this.byte(0x3a)
      }
      this.json(value.at(i))
    }
    this.byte(isObject ? 0x7d : 0x5d)
  }
}

function writeThree(to: usize, code: u32): usize {
  store<u8>(to, 0xe0 | (code >> 12))
  store<u8>(to, 0x80 | ((code >> 6) & 0x3f), 1)
  store<u8>(to, 0x80 | (code & 0x3f), 2)
  return to + 3
}

function writeFour(to: usize, code: u32): usize {
  store<u8>(to, 0xf0 | (code >> 18))
  store<u8>(to, 0x80 | ((code >> 12) & 0x3f), 1)
  store<u8>(to, 0x80 | ((code >> 6) & 0x3f), 2)
  store<u8>(to, 0x80 | (code & 0x3f), 3)
  return to + 4
}

function writeEscape(to: usize, unit: u32): usize {
  let letter: u8 = 0
  if (unit == 0x22 || unit == 0x5c) letter = <u8>unit
  else if (unit == 8) letter = 0x62
  else if (unit == 9) letter = 0x74
  else if (unit == 10) letter = 0x6e
  else if (unit == 12) letter = 0x66
  else if (unit == 13) letter = 0x72
  else return writeHexadecimal(to, unit)
  store<u8>(to, 0x5c)
  store<u8>(to, letter, 1)
  return to + 2
}

function writeHexadecimal(to: usize, unit: u32): usize {
  store<u8>(to, 0x5c)
  store<u8>(to, 0x75, 1)
  for (let i: u32 = 0; i < 4; i++) {
    const digit = (unit >> (12 - i * 4)) & 0x0f
    store<u8>(to + 2 + i, digit < 10 ? 0x30 + digit : 0x57 + digit)
  }
  return to + 6
}
