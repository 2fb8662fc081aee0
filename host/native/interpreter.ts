import { realpath, stat } from 'node:fs/promises'
import { join, normalize } from 'node:path'
import { quoteText } from '../../src/contract/quote-text.ts'
import { ExecutableError } from './executable-error.ts'
import type { Executable } from './executable.ts'
import { LibrarySearch } from './find-libraries.ts'
import { interpreterFolders, modulesIn } from './interpreter-folders.ts'
import type { NativeMachine } from './machine-names.ts'
import { openRegular } from './open-executable.ts'
import { isElf, readElf } from './read-elf.ts'
import { isScript, type ScriptLine } from './script-line.ts'
import { SYSTEM_PATH } from '../sandbox/host-folders.ts'
import { isSystemPlace } from './system-places.ts'

/** No plugin's: only files of the system belong to an interpreter. */
const NO_FOLDER = { path: '/nonexistent', inside: '/nonexistent' }
const MAX_KEPT = 32
/** Of an interpreter with a library of its own some hundred files are looked at. */
const kept = new Map<string, Promise<readonly string[]>>()

/**
 * How a script is started: by the interpreter that its first line names, with what that needs of the system.
 *
 * @throws ExecutableError where there is none, or none that a sandbox may show
 */
export async function findInterpreter(line: ScriptLine, machine: NativeMachine): Promise<Executable> {
  const written = 'path' in line.interpreter ? line.interpreter.path : await lookUp(line.interpreter.name)
  const canonical = await realpath(written).catch(() => null)
  if (canonical === null) throw missing(written)
  if (!isSystemPlace(canonical)) {
    const problem = `its interpreter ${quoteText(written)} lies at ${quoteText(canonical)}, which is no folder of the system`
    throw new ExecutableError(problem, 'Name one that was installed for all users, below /usr or /opt')
  }
  const systemPaths = await neededBy(canonical, machine)
  // Some programs look at the name that they are called by. A name of any other place is its author's.
  const isPlain = normalize(written) === written && isSystemPlace(written)
  const name = isPlain ? written : canonical
  return {
    before: [name, ...(line.argument === null ? [] : [line.argument])],
    systemPaths: [canonical, ...systemPaths],
    systemLinks: name === canonical ? [] : [{ at: name, to: canonical }],
  }
}

/** Where env(1) would find it, had it the system's PATH. */
async function lookUp(name: string): Promise<string> {
  for (const folder of SYSTEM_PATH) {
    const path = join(folder, name)
    const found = await stat(path).catch(() => null)
    if (found !== null && found.isFile() && (found.mode & 0o111) !== 0) return path
  }
  const problem = `its interpreter ${quoteText(name)} is not installed (looked in ${SYSTEM_PATH.join(', ')})`
  throw new ExecutableError(problem, 'Install it, or name another interpreter in the first line')
}

function missing(written: string): ExecutableError {
  const problem = `its interpreter ${quoteText(written)} is not there`
  return new ExecutableError(problem, 'Install it, or name another interpreter in the first line')
}

/** Kept for the daemon's life by what the file is now. */
async function neededBy(canonical: string, machine: NativeMachine): Promise<readonly string[]> {
  const { ino, mtimeMs, size } = await stat(canonical)
  const key = `${canonical} ${ino} ${mtimeMs} ${size}`
  const known = kept.get(key)
  if (known !== undefined) return await known
  const found = findNeeded(canonical, machine)
  if (kept.size === MAX_KEPT) kept.clear()
  kept.set(key, found)
  // What it lacks may be installed later.
  found.catch(() => kept.delete(key))
  return await found
}

async function findNeeded(canonical: string, machine: NativeMachine): Promise<readonly string[]> {
  const search = new LibrarySearch(NO_FOLDER, machine)
  await search.addProgram({ elf: await readProgram(canonical, machine), path: canonical })
  const folders = await interpreterFolders(canonical)
  for (const module of await modulesIn(folders)) {
    await using file = await openRegular(module)
    if (file === null) continue
    const elf = await readElf(file, machine).catch(() => null)
    if (elf !== null) await search.addModule({ elf, path: module })
  }
  return [...search.systemPaths, ...folders, ...(folders.length === 0 ? [] : await localeFolders())]
}

/** Of the one locale that each process is told of (LANG): Perl complains of it in four lines where it is not there. */
async function localeFolders(): Promise<string[]> {
  const folder = await realpath('/usr/lib/locale/C.utf8').catch(() => null)
  return folder !== null && isSystemPlace(folder) ? [folder] : []
}

async function readProgram(canonical: string, machine: NativeMachine): ReturnType<typeof readElf> {
  await using file = await openRegular(canonical)
  const name = quoteText(canonical)
  if (file === null)
    throw new ExecutableError(`its interpreter ${name} cannot be read`, 'See who may read it')
  if ((file.mode & 0o111) === 0) throw new ExecutableError(`its interpreter ${name} has no run bit`, INSTALL)
  const start = await file.read(0, 4)
  if (isScript(start))
    throw new ExecutableError(
      `its interpreter ${name} is a script itself`,
      'Name the program that runs that one',
    )
  if (!isElf(start)) throw new ExecutableError(`its interpreter ${name} is no program`, INSTALL)
  try {
    return await readElf(file, machine)
  } catch (error) {
    if (error instanceof ExecutableError)
      throw new ExecutableError(`its interpreter ${name} cannot run: ${error.message}`, error.remedy)
    throw error
  }
}

const INSTALL = 'Install the interpreter anew'
