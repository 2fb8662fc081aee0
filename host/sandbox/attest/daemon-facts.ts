import fs from 'node:fs'
import type { HostMounts } from './compare-mounts.ts'
import { parseMountinfo, type MountLine } from './parse-mountinfo.ts'
import { readFacts, type KernelFacts } from './read-facts.ts'

/** The daemon itself, as the kernel describes it: what every runner is compared with. */
export class DaemonFacts implements HostMounts {
  #kernel: KernelFacts
  #lines: readonly MountLine[]
  /** Of the few paths that are links: the libraries. */
  readonly #realPaths = new Map<string, string>()

  constructor() {
    this.#kernel = readFacts('self')
    this.#lines = mountLines(this.#kernel)
  }

  get kernel(): KernelFacts {
    return this.#kernel
  }
  get lines(): readonly MountLine[] {
    return this.#lines
  }

  /** Somebody may have mounted something since. */
  renew(): void {
    this.#kernel = readFacts('self')
    this.#lines = mountLines(this.#kernel)
    this.#realPaths.clear()
  }

  realPath(path: string): string {
    const known = this.#realPaths.get(path) ?? realPathOf(path)
    this.#realPaths.set(path, known)
    return known
  }
}

function mountLines({ mounts }: KernelFacts): readonly MountLine[] {
  return 'value' in mounts ? (parseMountinfo(mounts.value) ?? []) : []
}

function realPathOf(path: string): string {
  try {
    return fs.realpathSync.native(path)
  } catch {
    // It is gone: then it is not what was mounted.
    return path
  }
}
