/** How a line begins, behind which its id stands, and how it ends. */
export const HEAD = String.UTF8.encode('{"jsonrpc":"2.0","id":')
export const LINE_END = String.UTF8.encode('}\n')

const EXECUTE = String.UTF8.encode(',"method":"execute","params":{"operation":"')
const TIMEOUT = String.UTF8.encode('","timeout_ms":')
const PARAMS_END = String.UTF8.encode('}')
const PAYLOAD = String.UTF8.encode(',"payload_bytes":')

/** The line of a call as it mostly comes, read without making values of it. Exact, or left to the reader of JSON. */
@final
export class CallLine {
  id: u64 = 0
  operation: string = ''
  /** Where the payload begins. */
  behind: usize = 0
  private position: usize = 0
  private end: usize = 0

  read(pointer: usize, end: usize): bool {
    this.position = pointer
    this.end = end
    if (!this.takes(HEAD) || !this.digits()) return false
    this.id = this.value
    if (!this.takes(EXECUTE) || !this.name()) return false
    if (!this.takes(TIMEOUT) || !this.digits() || !this.takes(PARAMS_END)) return false
    if (this.takes(PAYLOAD) && !this.digits()) return false
    if (!this.takes(LINE_END)) return false
    this.behind = this.position
    return true
  }

  private value: u64 = 0

  private takes(text: ArrayBuffer): bool {
    const size = <usize>text.byteLength
    if (this.position + size > this.end) return false
    if (memory.compare(this.position, changetype<usize>(text), size) != 0) return false
    this.position += size
    return true
  }

  /** A whole number, of fewer digits than could overflow. */
  private digits(): bool {
    const start = this.position
    this.value = 0
    while (this.position < this.end) {
      const digit = <u64>load<u8>(this.position) - 0x30
      if (digit > 9) break
      this.value = this.value * 10 + digit
      this.position += 1
    }
    const count = this.position - start
    return count > 0 && count < 16 && (count == 1 || load<u8>(start) != 0x30)
  }

  private name(): bool {
    const start = this.position
    while (this.position < this.end && isNameByte(load<u8>(this.position))) this.position += 1
    const length = this.position - start
    // Calls of one operation mostly follow each other.
    if (!isText(start, length, this.operation)) this.operation = String.UTF8.decodeUnsafe(start, length)
    return length > 0
  }
}

@inline
function isNameByte(byte: u32): bool {
  return byte > 0x20 && byte < 0x7f && byte != 0x22 && byte != 0x5c
}

function isText(pointer: usize, length: usize, text: string): bool {
  if (<usize>text.length != length) return false
  for (let i: usize = 0; i < length; i++) {
    if (load<u8>(pointer + i) != load<u16>(changetype<usize>(text) + (i << 1))) return false
  }
  return true
}
