import { gzipSync } from 'node:zlib'

const BLOCK_BYTES = 512

export interface TarPart {
  name: string
  type?: string
  body?: string | Buffer
  /** Instead of the body's own. */
  size?: string
  link?: string
  prefix?: string
  /** Breaks the checksum. */
  isDamaged?: boolean
}

/** A tar archive as somebody hostile could write it. */
export function tarOf(parts: readonly TarPart[]): Buffer {
  const blocks = parts.flatMap((part) => {
    const body = Buffer.from(part.body ?? '')
    const padding = Buffer.alloc((BLOCK_BYTES - (body.length % BLOCK_BYTES)) % BLOCK_BYTES)
    return [headerOf(part, body.length), body, padding]
  })
  return Buffer.concat([...blocks, Buffer.alloc(2 * BLOCK_BYTES)])
}

export function tarballOf(parts: readonly TarPart[]): Buffer {
  return gzipSync(tarOf(parts))
}

function headerOf(part: TarPart, bodyBytes: number): Buffer {
  const header = Buffer.alloc(BLOCK_BYTES)
  header.write(part.name, 0, 100)
  header.write('0000755\0', 100)
  header.write(part.size ?? `${bodyBytes.toString(8).padStart(11, '0')}\0`, 124, 'latin1')
  header.write('        ', 148)
  header.write(part.type ?? '0', 156)
  header.write(part.link ?? '', 157, 100)
  header.write('ustar\u000000', 257)
  header.write(part.prefix ?? '', 345, 155)
  const sum = header.reduce((total, byte) => total + byte, 0) + (part.isDamaged === true ? 1 : 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return header
}
