import fs from 'node:fs'
import path from 'node:path'

/** Every process that the run starts inherits this, however it is detached; a sandbox clears it. */
export const RUN_MARKER = 'PHANTOM_TEST_RUN'

const COMPILE_CACHE = 'node-compile-cache'

export interface RunFolder {
  readonly id: string
  readonly path: string
}

/**
 * Gives the run a temporary folder of its own and makes it `os.tmpdir()` for this process and its children. So
 * what is left there was left by this run, also when several runs share a machine; and the folder's name stands
 * in the command line of every sandbox that mounts something out of it.
 */
export function enterRunFolder(): RunFolder {
  const folder = fs.mkdtempSync(path.join(fs.realpathSync(process.env['TMPDIR'] ?? '/tmp'), 'phantom-t-'))
  // As open as /tmp: tests start daemons and plugins under other users.
  fs.chmodSync(folder, 0o1777)
  const id = path.basename(folder)
  process.env['TMPDIR'] = folder
  // Sockets whose path would be too long go below it if it is set, else below the temporary folder.
  delete process.env['XDG_RUNTIME_DIR']
  // No test sees or touches the runtimes of the person who runs it.
  process.env['XDG_DATA_HOME'] = path.join(folder, 'data')
  process.env[RUN_MARKER] = id
  shareCompiledSources(folder)
  return { id, path: folder }
}

/**
 * Daemons and command lines start from sources, some hundred times: what one has compiled spares the next half of its
 * start. Node keeps a folder in it for each user.
 */
function shareCompiledSources(folder: string): void {
  const cache = path.join(folder, COMPILE_CACHE)
  fs.mkdirSync(cache)
  fs.chmodSync(cache, 0o1777)
  process.env['NODE_COMPILE_CACHE'] = cache
}

/**
 * What stands directly in the run's folder. Two may stay: Node's compile cache, and the user's folder for sockets,
 * which daemons share; a socket in it may not.
 */
export function entriesOf(folder: RunFolder): string[] {
  const names = fs.readdirSync(folder.path).filter((name) => name !== COMPILE_CACHE)
  return names.flatMap((name) => {
    if (!name.startsWith('phantom-runtime-')) return [name]
    return fs.readdirSync(path.join(folder.path, name)).map((socket) => `${name}/${socket}`)
  })
}

/** Never deletes through a mount point: what is mounted there is somebody's real folder. */
export function removeRunFolder(folder: RunFolder): void {
  const mounts = fs.existsSync('/proc/self/mountinfo') ? fs.readFileSync('/proc/self/mountinfo', 'utf8') : ''
  if (mounts.includes(`${folder.path}/`)) {
    throw new Error(`Cannot remove "${folder.path}": something is still mounted in it. Unmount it by hand`)
  }
  fs.rmSync(folder.path, { recursive: true, force: true })
}
