import { WasiError } from './errno.ts'

/** Of one call; Linux takes as many. */
const MAX_VECTORS = 1024
/** `PATH_MAX`. */
const MAX_TEXT_BYTES = 4096

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * The module's memory, as whoever serves it may touch it: every address and length comes from the module, and is held
 * to the memory as it is now. It may have grown since the last call, which leaves earlier views empty.
 */
export class WasiMemory {
  #memory: { readonly buffer: ArrayBuffer } | null = null
  #view = new DataView(new ArrayBuffer(0))

  bind(memory: { readonly buffer: ArrayBuffer }): void {
    this.#memory = memory
  }

  /** @throws WasiError `fault` for what does not lie in the memory whole */
  bytes(address: number, length: number): Uint8Array {
    const [start, size] = [address >>> 0, length >>> 0]
    const { buffer } = this.#current()
    if (start + size > buffer.byteLength) throw new WasiError('fault')
    return new Uint8Array(buffer, start, size)
  }

  /** A view of `length` bytes there, for one value after another. */
  fields(address: number, length: number): DataView {
    const { buffer, byteOffset } = this.bytes(address, length)
    return new DataView(buffer, byteOffset, length)
  }

  u32(address: number): number {
    return this.#at(address, 4).getUint32(address >>> 0, true)
  }

  setU32(address: number, value: number): void {
    this.#at(address, 4).setUint32(address >>> 0, value, true)
  }

  setU64(address: number, value: bigint): void {
    this.#at(address, 8).setBigUint64(address >>> 0, value, true)
  }

  /** @throws WasiError also for what is not UTF-8, or longer than any path */
  path(address: number, length: number): string {
    if (length >>> 0 > MAX_TEXT_BYTES) throw new WasiError('nametoolong')
    const bytes = this.bytes(address, length)
    let text: string
    try {
      text = strictUtf8.decode(bytes)
    } catch {
      // The decoder says no more than that it is none.
      throw new WasiError('ilseq')
    }
    return text
  }

  /** What an array of `iovec` or `ciovec` points to, empty ones left out. */
  vectors(address: number, count: number): Uint8Array[] {
    if (count >>> 0 > MAX_VECTORS) throw new WasiError('inval')
    const table = this.fields(address, (count >>> 0) * 8)
    const vectors: Uint8Array[] = []
    for (let at = 0; at < table.byteLength; at += 8) {
      const bytes = this.bytes(table.getUint32(at, true), table.getUint32(at + 4, true))
      if (bytes.length > 0) vectors.push(bytes)
    }
    return vectors
  }

  #at(address: number, length: number): DataView {
    const view = this.#current()
    if ((address >>> 0) + length > view.byteLength) throw new WasiError('fault')
    return view
  }

  #current(): DataView {
    const buffer = this.#memory?.buffer
    if (buffer !== undefined && buffer !== this.#view.buffer) this.#view = new DataView(buffer)
    return this.#view
  }
}
