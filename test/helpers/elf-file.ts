/** What an ELF file made by hand says; everything has a value that fits x86-64. */
export interface ElfFields {
  readonly machine?: number
  readonly class?: number
  readonly endianness?: number
  readonly type?: number
  readonly entry?: bigint
  readonly loader?: string | null
  readonly needed?: readonly string[]
  readonly rpath?: string | null
  readonly runpath?: string | null
}

const HEADER_BYTES = 64
const SEGMENT_BYTES = 56
const BASE = 0x1_0000n

/** A file of headers alone: nothing in it could run. */
export function elfFile(fields: ElfFields = {}): Buffer {
  const { loader = null, needed = [], rpath = null, runpath = null } = fields
  const texts = Buffer.from(
    `\0${[...needed, ...[rpath, runpath].filter((one) => one !== null)].join('\0')}\0`,
  )
  const placeOf = (text: string): bigint => BigInt(texts.indexOf(`\0${text}\0`) + 1)
  const entries: [bigint, bigint][] = needed.map((name) => [1n, placeOf(name)])
  if (rpath !== null) entries.push([15n, placeOf(rpath)])
  if (runpath !== null) entries.push([29n, placeOf(runpath)])
  const isDynamic = entries.length > 0
  const loaderBytes = Buffer.from(loader === null ? '' : `${loader}\0`)
  const count = 1 + (isDynamic ? 1 : 0) + (loader === null ? 0 : 1)
  const bodyAt = BigInt(HEADER_BYTES + count * SEGMENT_BYTES)
  const textsAt = bodyAt + BigInt(loaderBytes.length)
  const dynamicAt = textsAt + BigInt(texts.length)
  const dynamic = dynamicBytes([...entries, [5n, BASE + textsAt], [10n, BigInt(texts.length)], [0n, 0n]])
  const fileBytes = dynamicAt + BigInt(isDynamic ? dynamic.length : 0)
  return Buffer.concat([
    header(fields, count),
    segment(1, { at: 0n, bytes: fileBytes }),
    ...(isDynamic ? [segment(2, { at: dynamicAt, bytes: BigInt(dynamic.length) })] : []),
    ...(loader === null ? [] : [segment(3, { at: bodyAt, bytes: BigInt(loaderBytes.length) })]),
    loaderBytes,
    texts,
    ...(isDynamic ? [dynamic] : []),
  ])
}

function header(fields: ElfFields, segments: number): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES)
  bytes.set([0x7f, 0x45, 0x4c, 0x46, fields.class ?? 2, fields.endianness ?? 1, 1, 0])
  const { type = 2, machine = 62 } = fields
  if (fields.endianness === 2) bytes.writeUInt16BE(machine, 18)
  else bytes.writeUInt16LE(machine, 18)
  bytes.writeUInt16LE(type, 16)
  bytes.writeBigUInt64LE(fields.entry ?? 0x401000n, 24)
  bytes.writeBigUInt64LE(BigInt(HEADER_BYTES), 32)
  bytes.writeUInt16LE(SEGMENT_BYTES, 54)
  bytes.writeUInt16LE(segments, 56)
  return bytes
}

function segment(type: number, { at, bytes }: { at: bigint; bytes: bigint }): Buffer {
  const segmentBytes = Buffer.alloc(SEGMENT_BYTES)
  segmentBytes.writeUInt32LE(type, 0)
  segmentBytes.writeBigUInt64LE(at, 8)
  segmentBytes.writeBigUInt64LE(BASE + at, 16)
  segmentBytes.writeBigUInt64LE(bytes, 32)
  return segmentBytes
}

function dynamicBytes(entries: readonly (readonly [bigint, bigint])[]): Buffer {
  const bytes = Buffer.alloc(entries.length * 16)
  for (const [index, [tag, value]] of entries.entries()) {
    bytes.writeBigUInt64LE(tag, index * 16)
    bytes.writeBigUInt64LE(value, index * 16 + 8)
  }
  return bytes
}
