import { isMarkedAsUntransferable, type Transferable } from 'node:worker_threads'

/**
 * Readies values for another thread. Bytes are moved where that is possible, so that nothing is copied: buffers and
 * whole views of one, as a value itself or as a member of it. A view of a part is copied, that part alone; a
 * SharedArrayBuffer is shared. Everything else is cloned, as `structuredClone` does.
 */
export class ByteMover {
  readonly #uses = new Map<ArrayBufferLike, number>()

  /** @param all that will be moved in turns: what several of them share is copied for each */
  constructor(all: readonly unknown[]) {
    for (const value of all) {
      for (const bytes of bytesIn(value)) {
        const buffer = bufferOf(bytes)
        this.#uses.set(buffer, (this.#uses.get(buffer) ?? 0) + 1)
      }
    }
  }

  pack(values: readonly unknown[]): { packed: unknown[]; transfer: Transferable[] } {
    const transfer: Transferable[] = []
    const packed = values.map((value) => this.#packValue(value, transfer))
    return { packed, transfer }
  }

  #packValue(value: unknown, transfer: Transferable[]): unknown {
    if (isBytes(value)) return this.#packBytes(value, transfer)
    if (!isPlain(value) || bytesIn(value).length === 0) return value
    if (Array.isArray(value))
      return value.map((member) => (isBytes(member) ? this.#packBytes(member, transfer) : member))
    return Object.fromEntries(
      Object.entries(value).map(([key, member]) => [
        key,
        isBytes(member) ? this.#packBytes(member, transfer) : member,
      ]),
    )
  }

  #packBytes(bytes: Bytes, transfer: Transferable[]): Bytes {
    const buffer = bufferOf(bytes)
    if (buffer instanceof SharedArrayBuffer) return bytes
    const isWhole = bytes === buffer || bytes.byteLength === buffer.byteLength
    if (isWhole && this.#uses.get(buffer) === 1 && !isMarkedAsUntransferable(buffer)) {
      transfer.push(buffer)
      return bytes
    }
    const copy = copyOf(bytes)
    transfer.push(bufferOf(copy) as ArrayBuffer)
    return copy
  }
}

type Bytes = ArrayBufferLike | ArrayBufferView

function isBytes(value: unknown): value is Bytes {
  return ArrayBuffer.isView(value) || value instanceof ArrayBuffer || value instanceof SharedArrayBuffer
}

function bufferOf(bytes: Bytes): ArrayBufferLike {
  return ArrayBuffer.isView(bytes) ? bytes.buffer : bytes
}

function isPlain(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false
  if (Array.isArray(value)) return true
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

function bytesIn(value: unknown): Bytes[] {
  if (isBytes(value)) return [value]
  return isPlain(value) ? Object.values(value).filter(isBytes) : []
}

function copyOf(bytes: Bytes): Bytes {
  if (!ArrayBuffer.isView(bytes)) return bytes.slice(0)
  const copied = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength)
  if (bytes instanceof DataView) return new DataView(copied)
  // A Buffer arrives as a Uint8Array in any case.
  if (Buffer.isBuffer(bytes)) return new Uint8Array(copied)
  return new (bytes.constructor as new (buffer: ArrayBufferLike) => ArrayBufferView)(copied)
}
