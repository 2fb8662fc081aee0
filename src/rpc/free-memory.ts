/**
 * Gives the memory of bytes that nobody reads any more back at once, if it is theirs alone. Garbage collection knows
 * little of memory outside its heap, and lets half a payload of it pile up.
 */
export function freeMemory({ buffer, byteLength }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0)
}
