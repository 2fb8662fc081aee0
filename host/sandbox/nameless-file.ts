import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'

/**
 * A descriptor from which `bytes` can be read from their beginning, for the caller to close. The file behind it has no
 * name any more, so nobody can change what is in it.
 *
 * @throws the file system's error where the temporary folder takes no file
 */
export function openNamelessFile(bytes: Uint8Array): number {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-file-'))
  try {
    const file = fs.openSync(path.join(folder, 'file'), 'wx+', 0o600)
    // At a position: where a reader of the descriptor begins does not move.
    fs.writeSync(file, bytes, 0, bytes.length, 0)
    return file
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
}
