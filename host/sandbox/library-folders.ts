import { createHash } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'

/** A folder that holds copies of a runtime's libraries, and where they are looked for. */
export interface LibraryFolder {
  readonly from: string
  readonly at: string
}

/**
 * Copies of the libraries, one folder for each that they lie in: two mounts in place of eight, each of which takes
 * bubblewrap 0.1 ms, since it reads the whole table of mounts for every one. What is not of the runtime stays out, as it
 * would not if the host's own folders were mounted. Made anew when the host's libraries are others.
 *
 * @param parent a folder of the daemon's own
 * @throws the file system's error; nothing half made is left
 */
export function copyLibraries(libraries: readonly string[], parent: string): LibraryFolder[] {
  const folders = Map.groupBy(libraries, (library) => path.dirname(library))
  const root = path.join(parent, 'libraries')
  const whole = path.join(root, versionOf(libraries))
  if (!fs.existsSync(whole)) copyAll([...folders.values()], { root, whole })
  for (const other of fs.readdirSync(root)) {
    if (other !== path.basename(whole)) fs.rmSync(path.join(root, other), { recursive: true, force: true })
  }
  return [...folders.keys()].map((at, index) => ({ at, from: path.join(whole, String(index)) }))
}

/** Another file, or the same one changed, is another version. */
function versionOf(libraries: readonly string[]): string {
  const hash = createHash('sha256')
  for (const library of libraries) {
    const { dev, ino, size, mtimeMs } = fs.statSync(library)
    hash.update(`${library}\0${dev} ${ino} ${size} ${mtimeMs}\n`)
  }
  return hash.digest('hex').slice(0, 16)
}

function copyAll(
  groups: readonly (readonly string[])[],
  { root, whole }: { root: string; whole: string },
): void {
  const unfinished = `${whole}.${process.pid}.tmp`
  try {
    makeFolder(root)
    makeFolder(unfinished)
    groups.forEach((libraries, index) => {
      const folder = path.join(unfinished, String(index))
      makeFolder(folder)
      for (const library of libraries) {
        const copy = path.join(folder, path.basename(library))
        fs.copyFileSync(library, copy, fs.constants.COPYFILE_FICLONE)
        // The loader is a program, and who runs it has another uid than the daemon.
        fs.chmodSync(copy, 0o755)
      }
    })
    fs.renameSync(unfinished, whole)
  } catch (error) {
    fs.rmSync(unfinished, { recursive: true, force: true })
    throw error
  }
}

/** Whatever the daemon's umask. */
function makeFolder(folder: string): void {
  fs.mkdirSync(folder, { recursive: true })
  fs.chmodSync(folder, 0o755)
}
