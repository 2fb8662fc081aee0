import { readlink, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { contains } from '../sandbox/paths.ts'
import { ExecutableError } from './executable-error.ts'
import { LibrarySearch, type OwnFolder } from './find-libraries.ts'
import { findInterpreter } from './interpreter.ts'
import type { NativeMachine } from './machine-names.ts'
import { openRegular, type OpenFile } from './open-executable.ts'
import { isElf, readElf } from './read-elf.ts'
import { isScript, readScriptLine, SCRIPT_LINE_BYTES } from './script-line.ts'

/** How an entry point is started, and what it needs beside the plugin's own folder. */
export interface Executable {
  /** Words of the command before the path of the entry point: an interpreter's; none for a program of the machine. */
  readonly before: readonly string[]
  /** Files and folders of the system, each to be seen at its own path. */
  readonly systemPaths: readonly string[]
  /** Names of the system that lead to one of them. */
  readonly systemLinks: readonly { readonly at: string; readonly to: string }[]
}

const RUN_BITS = 0o111
/** To read and to run, for those who are neither its owner nor of its group. */
const OTHERS_BITS = 0o005
const SET_ID_BITS = 0o6000

/**
 * Looks at the entry point of a native plugin without running anything of it.
 *
 * @param entryPoint relative to the plugin's folder
 * @throws ExecutableError in words for its author
 */
export async function inspectExecutable(
  own: OwnFolder,
  entryPoint: string,
  machine: NativeMachine,
): Promise<Executable> {
  const path = join(own.path, entryPoint)
  const canonical = await realpath(path).catch((error: NodeJS.ErrnoException) => {
    throw unreachable(error.code)
  })
  if (!contains(own.path, canonical)) throw leaving()
  await using file = await openRegular(canonical)
  if (file === null)
    throw new ExecutableError('it is no regular file, or may not be read', 'Put the program there')
  // A folder on the way may have become a link since: what counts is what was opened.
  if (!contains(own.path, await readlink(`/proc/self/fd/${file.descriptor}`))) throw leaving()
  refuseMode(file)
  const start = await file.read(0, SCRIPT_LINE_BYTES)
  if (isScript(start)) return await findInterpreter(readScriptLine(start), machine)
  if (!isElf(start)) throw foreign(start, machine)
  const elf = await readElf(file, machine)
  if (!elf.hasEntry)
    throw new ExecutableError('it is a shared library, which nothing starts', 'Link a program')
  const libraries = new LibrarySearch(own, machine)
  await libraries.addProgram({ elf, path: join(own.inside, canonical.slice(own.path.length)) })
  return { before: [], systemPaths: libraries.systemPaths, systemLinks: [] }
}

function refuseMode({ mode, size }: OpenFile): void {
  if ((mode & SET_ID_BITS) !== 0) {
    const problem = 'it has the set-user-ID or set-group-ID bit, with which no plugin is started'
    throw new ExecutableError(problem, 'Take it away: chmod ug-s')
  }
  if (size === 0) throw new ExecutableError('it is empty', 'Build it again, and copy it whole')
  if ((mode & RUN_BITS) === 0) throw new ExecutableError('it has no run bit', 'Set it: chmod +x')
  // A root daemon gives each process a user of its own.
  if (process.getuid?.() === 0 && (mode & OTHERS_BITS) !== OTHERS_BITS) {
    const problem = 'other users may not read and run it, and its process gets a user id of its own'
    throw new ExecutableError(problem, 'Allow it: chmod o+rx')
  }
}

/** By their first bytes, what else people build. */
const FOREIGN: readonly (readonly [begin: string, what: string])[] = [
  ['\0asm', 'a WebAssembly module'],
  ['MZ', 'a Windows program'],
  ['\xcf\xfa\xed\xfe', 'a macOS program'],
  ['\xca\xfe\xba\xbe', 'a macOS program, or a Java class'],
  ['PK\x03\x04', 'an archive (zip, jar)'],
]

function foreign(start: Buffer, machine: NativeMachine): ExecutableError {
  const build = `Build a program for ${machine.name} Linux`
  const begin = start.toString('latin1', 0, 4)
  const [, what] = FOREIGN.find(([known]) => begin.startsWith(known)) ?? []
  if (what === 'a WebAssembly module')
    return new ExecutableError(`it is ${what}`, 'Say type = "wasm", and let its name end in .wasm')
  if (what !== undefined) return new ExecutableError(`it is ${what}`, build)
  const remedy = `${build}, or begin the script with "#!" and its interpreter`
  return new ExecutableError('it is neither a program nor a script with an interpreter ("#!")', remedy)
}

function unreachable(code: string | undefined): ExecutableError {
  if (code === 'ENOENT' || code === 'ENOTDIR')
    return new ExecutableError(
      'it does not exist',
      'Build the program, or name the file that starts the plugin',
    )
  if (code === 'ELOOP') return new ExecutableError('its links lead in a circle', 'Name the program itself')
  return new ExecutableError(`it cannot be reached (${code})`, 'See who may enter the folders above it')
}

function leaving(): ExecutableError {
  return new ExecutableError('it is a link that leaves the plugin folder', 'Put the program itself there')
}
