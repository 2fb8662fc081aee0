/** JSON, written as UTF-8 bytes. */
import { Json, JsonKind } from './json'
import { numberText } from './numbers'

/** What one unit of a text takes at most, as an escape or as UTF-8. */
const ROOM_BYTES: usize = 6
const STRIDE: i32 = 65536

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
