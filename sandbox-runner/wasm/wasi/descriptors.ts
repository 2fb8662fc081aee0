import { closeSync, type Dirent } from 'node:fs'

import { closeAnyway } from './close-anyway.ts'
import { WasiError } from './errno.ts'
import type { OpenFolder } from './grants.ts'
import type { OutputLines } from './output-lines.ts'

export interface OpenFile {
  readonly kind: 'file'
  readonly fd: number
  readonly path: string
  readonly mayWrite: boolean
  readonly mayRead: boolean
  /** Each write goes to the end. */
  isAppending: boolean
  position: number
}

export interface OpenDirectory extends OpenFolder {
  readonly kind: 'folder'
  /** What it held when it was read from its beginning; null until then. */
  listing: readonly Dirent[] | null
}

export type Descriptor =
  /** The root of all that was granted: no folder of the host's. */
  | { readonly kind: 'root' }
  | { readonly kind: 'input' }
  | { readonly kind: 'output'; readonly lines: OutputLines }
  | OpenFile
  | OpenDirectory

/** The kernel's own limit (`max_open_files`) is nearer, unless a manifest raises it. */
const MAX_DESCRIPTORS = 4096
/** Where every library looks for what was granted. */
const ROOT = 3

/** The module's numbers for what it has open; they have nothing to do with those of the process. */
export class Descriptors {
  readonly #open = new Map<number, Descriptor>()

  constructor(lines: { readonly stdout: OutputLines; readonly stderr: OutputLines }) {
    this.#open.set(0, { kind: 'input' })
    this.#open.set(1, { kind: 'output', lines: lines.stdout })
    this.#open.set(2, { kind: 'output', lines: lines.stderr })
    this.#open.set(ROOT, { kind: 'root' })
  }

  /** @throws WasiError */
  get(descriptor: number): Descriptor {
    return this.#open.get(descriptor) ?? fail('badf')
  }

  /** @throws WasiError */
  file(descriptor: number): OpenFile {
    const open = this.get(descriptor)
    if (open.kind === 'file') return open
    return fail(open.kind === 'folder' || open.kind === 'root' ? 'isdir' : 'spipe')
  }

  /** @throws WasiError */
  folder(descriptor: number): OpenDirectory | { readonly kind: 'root' } {
    const open = this.get(descriptor)
    return open.kind === 'folder' || open.kind === 'root' ? open : fail('notdir')
  }

  /** @throws WasiError `mfile`; whoever opened it closes it then */
  add(open: OpenFile | OpenDirectory): number {
    if (this.#open.size >= MAX_DESCRIPTORS) throw new WasiError('mfile')
    let descriptor = ROOT + 1
    while (this.#open.has(descriptor)) descriptor += 1
    this.#open.set(descriptor, open)
    return descriptor
  }

  /** @throws WasiError */
  close(descriptor: number): void {
    const open = this.get(descriptor)
    if (open.kind === 'root') throw new WasiError('notsup')
    this.#open.delete(descriptor)
    if (open.kind === 'output') open.lines.flush()
    if ('fd' in open) closeSync(open.fd)
  }

  /** Moves what is open under one number to another, which is closed first. */
  renumber(from: number, to: number): void {
    const moved = this.get(from)
    if (moved.kind === 'root' || from === to) {
      if (from !== to) throw new WasiError('notsup')
      return
    }
    this.close(to)
    this.#open.delete(from)
    this.#open.set(to, moved)
  }

  closeAll(): void {
    for (const open of this.#open.values()) if ('fd' in open) closeAnyway(open.fd)
    this.#open.clear()
  }
}

function fail(errno: 'badf' | 'isdir' | 'notdir' | 'spipe'): never {
  throw new WasiError(errno)
}
