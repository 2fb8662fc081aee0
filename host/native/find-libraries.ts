import { realpath } from 'node:fs/promises'
import { basename, dirname, join, normalize } from 'node:path'
import { quoteText } from '../../src/contract/quote-text.ts'
import { contains } from '../sandbox/paths.ts'
import { ExecutableError } from './executable-error.ts'
import { readLibraryCache, type LibraryCache } from './library-cache.ts'
import type { NativeMachine } from './machine-names.ts'
import { openRegular } from './open-executable.ts'
import { readElf, type ElfFile } from './read-elf.ts'
import { isSystemPlace } from './system-places.ts'

/** Of one program with all that it needs: more is nobody's program. */
const MAX_LIBRARIES = 512
/** Paths that may be looked at for it: folders and names multiply. */
const MAX_TRIES = 10_000
const LOADER_CACHE = '/etc/ld.so.cache'
/** glibc loads it by itself, when a thread ends early or is cancelled. */
const LOADED_LATE = ['libgcc_s.so.1']

/** The plugin's own folder: where it lies now, and where it will lie for the plugin. */
export interface OwnFolder {
  readonly path: string
  readonly inside: string
}

export interface LoadedObject {
  readonly elf: ElfFile
  /** As its process will see it. */
  readonly path: string
}

/** Files of the system that a program needs, each at its own path; those in the plugin's own folder are there anyway. */
export class LibrarySearch {
  readonly #own: OwnFolder
  readonly #machine: NativeMachine
  readonly #found = new Map<string, string>()
  #cache: LibraryCache | null = null
  #needsCache = false
  #tries = 0

  constructor(own: OwnFolder, machine: NativeMachine) {
    this.#own = own
    this.#machine = machine
  }

  get systemPaths(): string[] {
    const paths = [...this.#found.values()].filter((path) => !contains(this.#own.inside, path))
    return [...new Set([...paths, ...(this.#needsCache ? [LOADER_CACHE] : [])])]
  }

  /**
   * Finds the loader and all libraries of a program, as ld.so(8) would in an environment that says nothing.
   *
   * @throws ExecutableError for what is missing, or leads out of the system's folders
   */
  async addProgram(program: LoadedObject): Promise<void> {
    const { loader } = program.elf
    if (loader === null) {
      if (program.elf.needed.length === 0) return
      throw new ExecutableError('it needs shared libraries and names no loader', 'Link it as a program')
    }
    await this.#addLoader(loader)
    await this.#addNeeded(program, [])
    for (const name of LOADED_LATE) {
      const object = await this.#find(name, program, [])
      if (object !== null) await this.#addNeeded(object, [])
    }
  }

  /** What a module of an interpreter needs; one that lacks something fails when it is loaded, and only then. */
  async addModule(module: LoadedObject): Promise<void> {
    try {
      await this.#addNeeded(module, [])
    } catch (error) {
      if (!(error instanceof ExecutableError)) throw error
    }
  }

  async #addLoader(path: string): Promise<void> {
    const object = await this.#load(path)
    if (object === null) {
      const problem = `its loader ${quoteText(path)} is not there, or is no loader for ${this.#machine.name}`
      throw new ExecutableError(problem, 'Build it for this system, or link it statically')
    }
    // Libraries name it as one that they need.
    this.#found.set(basename(object.path), object.path)
  }

  async #addNeeded(object: LoadedObject, chain: readonly LoadedObject[]): Promise<void> {
    const above = [object, ...chain]
    const found: LoadedObject[] = []
    for (const name of object.elf.needed) {
      if (this.#found.has(name)) continue
      const library = await this.#find(name, object, chain)
      if (library === null) throw this.#missing(name, object)
      found.push(library)
    }
    for (const library of found) await this.#addNeeded(library, above)
  }

  async #find(name: string, by: LoadedObject, chain: readonly LoadedObject[]): Promise<LoadedObject | null> {
    if (this.#found.size >= MAX_LIBRARIES)
      throw new ExecutableError(`it needs more than ${MAX_LIBRARIES} libraries`, 'Link them into it')
    this.#cache ??= await readLibraryCache()
    const candidates = name.includes('/') ? expand(name, by.path) : this.#candidates(name, by, chain)
    for (const path of candidates) {
      const object = await this.#load(path)
      if (object === null) continue
      this.#found.set(name, object.path)
      if (!contains(this.#own.inside, object.path) && !this.#isDefault(dirname(object.path)))
        this.#needsCache ||= !name.includes('/')
      return object
    }
    return null
  }

  /** One after the other, as they are tried: all of them, of each object above, would hold up the daemon's loop. */
  *#candidates(name: string, by: LoadedObject, chain: readonly LoadedObject[]): Generator<string> {
    // An object's own RUNPATH takes the place of all RPATHs, its own and those above it.
    const above = by.elf.runpath.length > 0 ? [] : [by, ...chain]
    for (const one of above) for (const folder of foldersOf(one, one.elf.rpath)) yield join(folder, name)
    for (const folder of foldersOf(by, by.elf.runpath)) yield join(folder, name)
    yield* this.#cache?.get(name) ?? []
    for (const folder of this.#defaults()) yield join(folder, name)
  }

  #defaults(): string[] {
    const { triplet } = this.#machine
    return [`/lib/${triplet}`, `/usr/lib/${triplet}`, '/lib64', '/usr/lib64', '/lib', '/usr/lib']
  }

  #isDefault(folder: string): boolean {
    return this.#defaults().includes(folder)
  }

  /** Null where no object of this machine lies there, or in a place that the sandbox does not show. */
  async #load(inside: string): Promise<LoadedObject | null> {
    this.#tries += 1
    if (this.#tries > MAX_TRIES)
      throw new ExecutableError('it looks for its libraries in too many folders', 'Name fewer in its RPATH')
    const path = normalize(inside)
    const isOwn = contains(this.#own.inside, path)
    const onHost = isOwn ? join(this.#own.path, path.slice(this.#own.inside.length)) : path
    const canonical = await realpath(onHost).catch(() => null)
    if (canonical === null) return null
    // Where it is mounted is its name, and what is mounted is what that leads to.
    const isShown = isOwn
      ? contains(this.#own.path, canonical)
      : isSystemPlace(path) && isSystemPlace(canonical)
    if (!isShown) return null
    await using file = await openRegular(canonical)
    if (file === null) return null
    try {
      return { elf: await readElf(file, this.#machine), path }
    } catch (error) {
      // Of another machine, or a script of the linker's: the loader goes on to the next folder, too.
      if (error instanceof ExecutableError) return null
      throw error
    }
  }

  #missing(name: string, by: LoadedObject): ExecutableError {
    const folders = [...foldersOf(by, [...by.elf.runpath, ...by.elf.rpath])]
    const hidden = folders.filter((folder) => !contains(this.#own.inside, folder) && !isSystemPlace(folder))
    const where =
      hidden.length === 0 ? '' : ` (a plugin does not see ${quoteText(hidden[0]!)}, where it is to look)`
    const ofWhom = contains(this.#own.inside, by.path) ? '' : ` for ${quoteText(by.path)}`
    return new ExecutableError(
      `it needs the shared library ${quoteText(name)}${ofWhom}, which is not there${where}`,
      "Install it, or put it beside the executable and link with -Wl,-rpath,'$ORIGIN'",
    )
  }
}

/** Where an object says that libraries lie; what is not absolute then depends on who starts it, and is passed over. */
function* foldersOf({ path }: LoadedObject, written: readonly string[]): Generator<string> {
  for (const folder of written) yield* expand(folder, path).filter((one) => one.startsWith('/'))
}

/** ld.so(8), "Dynamic string tokens". */
function expand(written: string, objectPath: string): string[] {
  const origin = dirname(objectPath)
  const text = written.replaceAll(/\$(?:ORIGIN\b|\{ORIGIN\})/g, () => origin)
  const libraries = /\$(?:LIB\b|\{LIB\})/g
  const texts = libraries.test(text)
    ? ['lib', 'lib64'].map((name) => text.replaceAll(libraries, name))
    : [text]
  return texts.filter((one) => !one.includes('$')).map((one) => normalize(one))
}
