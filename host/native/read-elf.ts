import { quoteText } from '../../src/contract/quote-text.ts'
import { ExecutableError } from './executable-error.ts'
import { machineName, type NativeMachine } from './machine-names.ts'

/** A file, or a part of memory: `read` gives fewer bytes where there are no more. */
export interface ByteSource {
  readonly size: number
  read(offset: number, length: number): Promise<Buffer>
}

/** What of an executable or a shared object says what it needs beside itself. */
export interface ElfFile {
  readonly kind: 'executable' | 'shared'
  /** Whether it can be started at all: a library has no place to start from. */
  readonly hasEntry: boolean
  /** The dynamic loader that it names (PT_INTERP); null for a static program and most libraries. */
  readonly loader: string | null
  /** Names of shared libraries (DT_NEEDED), in their order. */
  readonly needed: readonly string[]
  /** Where its libraries are looked for, as it is written there. */
  readonly rpath: readonly string[]
  readonly runpath: readonly string[]
}

const HEADER_BYTES = 64
const SEGMENT_BYTES = 56
const DYNAMIC_BYTES = 16
const MAX_SEGMENTS = 512
const MAX_DYNAMIC = 4096
const MAX_NEEDED = 256
const MAX_TEXT_BYTES = 4096
const [PT_LOAD, PT_DYNAMIC, PT_INTERP] = [1, 2, 3]
const [DT_NULL, DT_NEEDED, DT_STRTAB, DT_STRSZ, DT_RPATH, DT_RUNPATH] = [0, 1, 5, 10, 15, 29]
const CLASS_32 = 1
const CLASS_64 = 2
const BIG_ENDIAN = 2
const KINDS: Readonly<Record<number, string>> = {
  1: 'an object file, which was not linked',
  4: 'a core dump',
}

/** Whether a file begins as one. */
export function isElf(start: Buffer): boolean {
  return start.length >= 4 && start.readUInt32BE(0) === 0x7f45_4c46
}

/**
 * Reads what stands in the headers of an ELF file (elf(5)). Every figure in it is its author's: each is held to the
 * file's size and to a bound of our own before anything is read by it.
 *
 * @throws ExecutableError for a file of another machine, and one that is broken
 */
export async function readElf(file: ByteSource, machine: NativeMachine): Promise<ElfFile> {
  const header = await file.read(0, HEADER_BYTES)
  const kind = kindOf(header, machine)
  const segments = await readSegments(file, header)
  const loader = await readLoader(file, segments)
  const dynamic = await readDynamic(file, segments)
  return { kind, hasEntry: header.readBigUInt64LE(24) !== 0n, loader, ...dynamic }
}

function kindOf(header: Buffer, machine: NativeMachine): ElfFile['kind'] {
  if (header.length < HEADER_BYTES) throw broken('it ends within its first header')
  const elfClass = header[4]
  const isBigEndian = header[5] === BIG_ENDIAN
  const found = isBigEndian ? header.readUInt16BE(18) : header.readUInt16LE(18)
  const build = `Build it for ${machine.name} Linux`
  if (elfClass === CLASS_32)
    throw new ExecutableError(
      `it is a 32-bit program (${machineName(found)}), and only 64-bit ones run`,
      build,
    )
  if (elfClass !== CLASS_64) throw broken('it is of no known class')
  if (found !== machine.elfMachine || isBigEndian)
    throw new ExecutableError(
      `it is for ${machineName(found)}${isBigEndian ? ' (big-endian)' : ''}, this machine is ${machine.name}`,
      build,
    )
  const type = header.readUInt16LE(16)
  if (type === 2) return 'executable'
  if (type === 3) return 'shared'
  throw new ExecutableError(`it is ${KINDS[type] ?? `an ELF file of type ${type}`}`, 'Name a linked program')
}

interface Segment {
  readonly type: number
  readonly offset: number
  readonly address: number
  readonly fileBytes: number
}

async function readSegments(file: ByteSource, header: Buffer): Promise<Segment[]> {
  const count = header.readUInt16LE(56)
  if (count === 0 || count > MAX_SEGMENTS) throw broken(`it has ${count} program headers`)
  if (header.readUInt16LE(54) !== SEGMENT_BYTES) throw broken('its program headers are of another size')
  const bytes = await readExactly(file, numberAt(header, 32), count * SEGMENT_BYTES)
  return Array.from({ length: count }, (_, index) => {
    const at = index * SEGMENT_BYTES
    return {
      type: bytes.readUInt32LE(at),
      offset: numberAt(bytes, at + 8),
      address: numberAt(bytes, at + 16),
      fileBytes: numberAt(bytes, at + 32),
    }
  })
}

async function readLoader(file: ByteSource, segments: readonly Segment[]): Promise<string | null> {
  const segment = segments.find(({ type }) => type === PT_INTERP)
  if (segment === undefined) return null
  if (segment.fileBytes > MAX_TEXT_BYTES) throw broken('the name of its loader is too long')
  return textIn(await readExactly(file, segment.offset, segment.fileBytes), 'its loader')
}

type Dynamic = Pick<ElfFile, 'needed' | 'rpath' | 'runpath'>

async function readDynamic(file: ByteSource, segments: readonly Segment[]): Promise<Dynamic> {
  const segment = segments.find(({ type }) => type === PT_DYNAMIC)
  if (segment === undefined) return { needed: [], rpath: [], runpath: [] }
  if (segment.fileBytes > MAX_DYNAMIC * DYNAMIC_BYTES) throw broken('its dynamic section is too large')
  const entries = entriesIn(await readExactly(file, segment.offset, segment.fileBytes))
  const valuesOf = (tag: number): number[] =>
    entries.flatMap((entry) => (entry.tag === tag ? entry.value : []))
  const needed = valuesOf(DT_NEEDED)
  if (needed.length > MAX_NEEDED) throw broken(`it needs more than ${MAX_NEEDED} libraries`)
  const read = textReader(file, segments, { at: valuesOf(DT_STRTAB)[0], bytes: valuesOf(DT_STRSZ)[0] })
  const foldersAt = async (tag: number): Promise<string[]> => {
    const [place] = valuesOf(tag)
    return place === undefined ? [] : (await read(place)).split(':').filter((folder) => folder !== '')
  }
  const names: string[] = []
  for (const place of needed) names.push(await read(place))
  return { needed: names, rpath: await foldersAt(DT_RPATH), runpath: await foldersAt(DT_RUNPATH) }
}

interface DynamicEntry {
  readonly tag: number
  readonly value: number
}

function entriesIn(bytes: Buffer): DynamicEntry[] {
  const entries: DynamicEntry[] = []
  for (let at = 0; at + DYNAMIC_BYTES <= bytes.length; at += DYNAMIC_BYTES) {
    const tag = bytes.readBigInt64LE(at)
    if (tag === BigInt(DT_NULL)) break
    // Values of tags that nobody asks for may be anything.
    if (tag <= BigInt(DT_RUNPATH) && tag > 0n && WANTED.has(Number(tag)))
      entries.push({ tag: Number(tag), value: numberAt(bytes, at + 8) })
  }
  return entries
}

const WANTED: ReadonlySet<number> = new Set([DT_NEEDED, DT_STRTAB, DT_STRSZ, DT_RPATH, DT_RUNPATH])

/** Texts of the dynamic section, by their place in its table, which is given as an address in memory. */
function textReader(
  file: ByteSource,
  segments: readonly Segment[],
  table: { readonly at: number | undefined; readonly bytes: number | undefined },
): (place: number) => Promise<string> {
  return async (place) => {
    const { at, bytes } = table
    if (at === undefined || bytes === undefined) throw broken('it has no table of texts')
    const holder = segments.find(
      ({ type, address, fileBytes }) => type === PT_LOAD && at >= address && at - address < fileBytes,
    )
    if (holder === undefined || place >= bytes) throw broken('a text of it lies outside of it')
    const offset = holder.offset + (at - holder.address) + place
    const length = Math.min(bytes - place, MAX_TEXT_BYTES)
    return textIn(await readSome(file, offset, length), 'a text of it')
  }
}

function textIn(bytes: Buffer, what: string): string {
  const end = bytes.indexOf(0)
  if (end < 0) throw broken(`${what} has no end`)
  const text = bytes.toString('utf8', 0, end)
  if (text === '' || /[\p{Cc}\uFFFD]/u.test(text)) throw broken(`${what} is ${quoteText(text)}`)
  return text
}

async function readExactly(file: ByteSource, offset: number, length: number): Promise<Buffer> {
  const bytes = await readSome(file, offset, length)
  if (bytes.length < length) throw broken('it ends before what its headers name')
  return bytes
}

async function readSome(file: ByteSource, offset: number, length: number): Promise<Buffer> {
  if (offset + length > Number.MAX_SAFE_INTEGER || offset >= file.size)
    throw broken('it ends before what its headers name')
  return await file.read(offset, length)
}

function numberAt(bytes: Buffer, at: number): number {
  const value = bytes.readBigUInt64LE(at)
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw broken('a figure in its headers is beyond any file')
  return Number(value)
}

function broken(what: string): ExecutableError {
  return new ExecutableError(`it is a broken ELF file: ${what}`, 'Build it again, and copy it whole')
}
