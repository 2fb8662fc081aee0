import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'

/** Where the copies of plugins' files lie: one folder a plugin, one copy a generation in it, named by its digest. */
export class SnapshotFolder {
  readonly #root: string
  readonly #cleaned = new Set<string>()

  constructor(stateDirectory: string) {
    this.#root = join(stateDirectory, 'generations')
  }

  of(pluginId: string): string {
    return join(this.#root, pluginId)
  }

  /**
   * A daemon knows no generation of the daemons before it: only the copy that fits the files as they are is of use,
   * and spares the next start the work. Call it before the first copy is made, and what it answers afterwards: what
   * lies there by then may be another generation's.
   */
  cleanerOf(pluginId: string): (current: string | null) => void {
    if (this.#cleaned.has(pluginId)) return () => undefined
    const earlier = pathsIn(this.of(pluginId))
    return (current) => {
      this.#cleaned.add(pluginId)
      for (const path of earlier) if (path !== current) remove(path)
    }
  }

  forget(pluginId: string): void {
    remove(this.of(pluginId))
  }

  /** Plugins that are not there any more. */
  forgetOthers(known: ReadonlySet<string>): void {
    const paths = new Set(Array.from(known, (pluginId) => this.of(pluginId)))
    for (const path of pathsIn(this.#root)) if (!paths.has(path)) remove(path)
  }
}

function pathsIn(folder: string): string[] {
  try {
    return readdirSync(folder).map((name) => join(folder, name))
  } catch {
    // ENOENT: nothing was copied yet.
    return []
  }
}

function remove(path: string): void {
  rmSync(path, { recursive: true, force: true })
}
