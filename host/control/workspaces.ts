import { existsSync, realpathSync, statSync } from 'node:fs'
import { isAbsolute, resolve, sep } from 'node:path'
import { PhantomError } from '../../src/contract/phantom-error.ts'

/** Spellings remembered, so that a call pays no system call for a path that was checked before. */
const MAX_REMEMBERED = 1_000

/** Which folders calls may be about, and their canonical paths. */
export class Workspaces {
  readonly #roots: () => readonly string[]
  readonly #forbidden: string
  readonly #canonical = new Map<string, string>()
  /** The roots that held when those were checked. */
  #rootsThen = ''

  /**
   * @param options.roots asked at each look, followed at each new path; folders below which workspaces may lie; null allows any folder: a private daemon,
   * which runs as its application's user and serves nobody else
   * @param options.stateDirectory the daemon's own, never a workspace
   */
  constructor(options: { roots: (() => readonly string[]) | null; stateDirectory: string }) {
    this.#roots = options.roots ?? (() => ['/'])
    this.#forbidden = options.stateDirectory
  }

  /** @throws PhantomError WORKSPACE_DENIED */
  canonical(path: string): string {
    this.#forgetWhenRootsChange()
    const known = this.#canonical.get(path)
    if (known !== undefined) return known
    const canonical = this.#check(path)
    if (this.#canonical.size >= MAX_REMEMBERED) this.#canonical.clear()
    this.#canonical.set(path, canonical)
    return canonical
  }

  /** What a root admitted goes with it. */
  #forgetWhenRootsChange(): void {
    const roots = this.#roots().join('\0')
    if (roots === this.#rootsThen) return
    this.#canonical.clear()
    this.#rootsThen = roots
  }

  #check(path: string): string {
    if (!isAbsolute(path)) throw denied(path, 'it is no absolute path. Send the folder in full')
    const canonical = realFolder(path)
    if (isInside(canonical, this.#forbidden))
      throw denied(path, "it is the daemon's own state folder. Choose another one")
    // Node's permission model takes it for any text, also inside of what a plugin is granted.
    if (canonical.includes('*')) throw denied(path, 'it has a "*" in its path. Rename that folder')
    const roots = this.#roots().map(canonicalRoot)
    if (roots.some((root) => isInside(canonical, root))) return canonical
    throw denied(
      path,
      `it lies outside of the folders that this daemon serves (${roots.join(', ')}). ` +
        'Add it to workspace.roots in the configuration',
    )
  }
}

function realFolder(path: string): string {
  try {
    const canonical = realpathSync(path)
    if (statSync(canonical).isDirectory()) return canonical
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const what =
      code === 'ENOENT' ? 'there is no such folder' : `it cannot be looked at (${code ?? String(error)})`
    throw denied(path, `${what}. Create the folder or name another one`)
  }
  throw denied(path, 'it is no folder. Name the folder that the call is about')
}

/** A root that is not there yet stands as it is written. */
function canonicalRoot(path: string): string {
  return existsSync(path) ? realpathSync(path) : resolve(path)
}

function isInside(path: string, root: string): boolean {
  return path === root || path.startsWith(root.endsWith(sep) ? root : root + sep)
}

function denied(path: string, why: string): PhantomError {
  return new PhantomError('WORKSPACE_DENIED', `Cannot use workspace "${path.slice(0, 512)}": ${why}`, {
    details: { workspace: path },
  })
}
