import { createHash } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'

/** From a path to its kind, mode and content, each in one text. */
export type FileFacts = ReadonlyMap<string, string>

const MAX_HASHED_BYTES = 1024 * 1024

/** All that lies below a folder, without what it is told to leave out. Links are looked at, not followed. */
export function readFileFacts(folder: string, leaveOut: readonly string[]): FileFacts {
  const facts = new Map<string, string>()
  const look = (file: string): void => {
    if (leaveOut.includes(file)) return
    const stat = fs.lstatSync(file, { throwIfNoEntry: false })
    if (stat === undefined) return
    facts.set(file, `${stat.mode.toString(8)} ${stat.uid} ${contentOf(file, stat)}`)
    if (!stat.isDirectory()) return
    for (const name of fs.readdirSync(file)) look(path.join(file, name))
  }
  look(folder)
  return facts
}

/** The first difference in words; null for none. */
export function differenceOf(before: FileFacts, after: FileFacts): string | null {
  for (const [file, facts] of before) {
    if (!after.has(file)) return `"${file}" is gone`
    if (after.get(file) !== facts) return `"${file}" was changed`
  }
  const added = [...after.keys()].find((file) => !before.has(file))
  return added === undefined ? null : `"${added}" was made`
}

function contentOf(file: string, stat: fs.Stats): string {
  if (stat.isSymbolicLink()) return fs.readlinkSync(file)
  if (!stat.isFile()) return ''
  if (stat.size > MAX_HASHED_BYTES) return String(stat.size)
  return createHash('sha256').update(fs.readFileSync(file)).digest('hex')
}
