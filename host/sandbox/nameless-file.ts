import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'

/** Linux, all architectures Node runs on; with O_DIRECTORY it is O_TMPFILE. Not among Node's constants. */
const O_TMPFILE_BIT = 0o20000000
/** On a disk the same takes a millisecond. */
const MEMORY = '/dev/shm'

/**
 * A descriptor from which `bytes` can be read from their beginning, for the caller to close. The file behind it has no
 * name, so nobody can change what is in it.
 *
 * @throws the file system's error where the temporary folder takes no file
 */
export function openNamelessFile(bytes: Uint8Array): number {
  const file = openTemporary(MEMORY) ?? openTemporary(os.tmpdir()) ?? openAndUnlink(os.tmpdir())
  // At a position: where a reader of the descriptor begins does not move.
  fs.writeSync(file, bytes, 0, bytes.length, 0)
  return file
}

/** One call of the kernel instead of six, which took more than a millisecond of each start. */
function openTemporary(folder: string): number | null {
  try {
    return fs.openSync(folder, fs.constants.O_DIRECTORY | O_TMPFILE_BIT | fs.constants.O_RDWR, 0o600)
  } catch {
    // A file system that can't: the other way says what is wrong, if anything is.
    return null
  }
}

function openAndUnlink(parent: string): number {
  const folder = fs.mkdtempSync(path.join(parent, 'phantom-file-'))
  try {
    return fs.openSync(path.join(folder, 'file'), 'wx+', 0o600)
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
}
