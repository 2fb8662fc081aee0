import { closeSync, fstatSync, openSync, readdirSync, readSync } from 'node:fs'
import { join } from 'node:path'

/** The file that grows; full ones are named by their first line's number. */
export const AUDIT_FILE = 'audit.jsonl'
const FULL_FILE = /^audit\.(\d{12,})\.jsonl$/
/** A record is far shorter; a longer line is no record. */
const MAX_LINE_BYTES = 256 * 1024
const NEWLINE = 10

export function fullFileName(firstSequence: number): string {
  return `audit.${String(firstSequence).padStart(12, '0')}.jsonl`
}

/** The names of the log's files, the oldest first. What is no regular file is none of them: a pipe would never end. */
export function listAuditFiles(folder: string): string[] {
  const names = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name }) => name)
  const full = names
    .filter((name) => FULL_FILE.test(name))
    .toSorted((a, b) => Number(FULL_FILE.exec(a)![1]) - Number(FULL_FILE.exec(b)![1]))
  return names.includes(AUDIT_FILE) ? [...full, AUDIT_FILE] : full
}

export interface FileTail {
  /** The last whole line; null where there is none. */
  readonly line: string | null
  /** Where the last whole line ends. */
  readonly wholeBytes: number
  /** What stands behind it: a line that was never finished. */
  readonly torn: Buffer
}

export function readTail(folder: string, name: string): FileTail {
  const descriptor = openSync(join(folder, name), 'r')
  try {
    const { size } = fstatSync(descriptor)
    const length = Math.min(size, 2 * MAX_LINE_BYTES)
    const end = Buffer.alloc(length)
    readSync(descriptor, end, 0, length, size - length)
    const wholeLength = end.lastIndexOf(NEWLINE) + 1
    const lineStart = wholeLength < 2 ? 0 : end.lastIndexOf(NEWLINE, wholeLength - 2) + 1
    return {
      line: wholeLength === 0 ? null : end.toString('utf8', lineStart, wholeLength - 1),
      wholeBytes: size - length + wholeLength,
      torn: end.subarray(wholeLength),
    }
  } finally {
    closeSync(descriptor)
  }
}

export function readFirstLine(folder: string, name: string): string | null {
  const descriptor = openSync(join(folder, name), 'r')
  try {
    const start = Buffer.alloc(MAX_LINE_BYTES)
    const length = readSync(descriptor, start, 0, MAX_LINE_BYTES, 0)
    const end = start.subarray(0, length).indexOf(NEWLINE)
    return end === -1 ? null : start.toString('utf8', 0, end)
  } finally {
    closeSync(descriptor)
  }
}

/** The lines of an open file from its start; a last one without its newline is marked, one too long is cut. */
export async function* readLines(
  chunks: AsyncIterable<Buffer>,
): AsyncGenerator<{ text: string; isTorn: boolean }> {
  let rest: Buffer = Buffer.alloc(0)
  let isSkipping = false
  for await (const chunk of chunks) {
    let data = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    for (let end = data.indexOf(NEWLINE); end !== -1; end = data.indexOf(NEWLINE)) {
      if (!isSkipping) yield { text: data.toString('utf8', 0, end), isTorn: false }
      isSkipping = false
      data = data.subarray(end + 1)
    }
    if (data.length > MAX_LINE_BYTES && !isSkipping) {
      yield { text: data.toString('utf8', 0, 256), isTorn: false }
      isSkipping = true
    }
    rest = isSkipping ? Buffer.alloc(0) : data
  }
  if (rest.length > 0) yield { text: rest.toString('utf8'), isTorn: true }
}
