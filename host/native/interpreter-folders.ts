import { readdir, realpath, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { isSystemPlace } from './system-places.ts'

/** Files of one interpreter that may be loaded as code of the machine. */
const MAX_MODULES = 2000

/** By the name of the program, without its version: where its own library lies, below the folder that holds its `bin`. */
const LIBRARIES: readonly (readonly [RegExp, readonly RegExp[]])[] = [
  [/^(?:python|pypy)[\d.]*$/, [/^lib(?:64)?\/(?:python|pypy)\d[\d.]*t?$/]],
  [
    /^perl[\d.]*$/,
    [
      /^lib(?:64)?\/perl5?$/,
      /^lib\/[\w-]+-linux-gnu\/perl(?:-base|5)?$/,
      /^lib\/[\w-]+-linux-gnu\/perl$/,
      /^share\/perl5?$/,
    ],
  ],
  [/^ruby[\d.]*$/, [/^lib(?:64)?\/ruby$/, /^lib\/[\w-]+-linux-gnu\/ruby$/, /^share\/ruby$/]],
]

/**
 * Folders with an interpreter's own library: what it needs before it reads a line of a script. By a table, since asking
 * it would run a program for each plugin; an interpreter that is not in it gets its shared libraries alone.
 *
 * @param program its canonical path, which has the version in its name
 */
export async function interpreterFolders(program: string): Promise<string[]> {
  const name = basename(program)
  const [, patterns] = LIBRARIES.find(([names]) => names.test(name)) ?? []
  if (patterns === undefined) return []
  const prefix = dirname(dirname(program))
  const found: string[] = []
  for (const path of await candidatesBelow(prefix))
    if (patterns.some((pattern) => pattern.test(path)) && isOfVersion(name, path))
      found.push(join(prefix, path))
  return found.toSorted()
}

/** Shared objects in these folders: modules of the interpreter that are no script. */
export async function modulesIn(folders: readonly string[]): Promise<string[]> {
  const modules: string[] = []
  for (const folder of folders) {
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.name.endsWith('.so') || modules.length === MAX_MODULES) continue
      modules.push(join(entry.parentPath, entry.name))
    }
  }
  return modules
}

async function candidatesBelow(prefix: string): Promise<string[]> {
  const paths: string[] = []
  for (const folder of ['lib', 'lib64', 'share']) {
    for (const name of await namesIn(join(prefix, folder))) {
      paths.push(`${folder}/${name}`)
      if (!name.endsWith('-linux-gnu')) continue
      for (const inner of await namesIn(join(prefix, folder, name))) paths.push(`${folder}/${name}/${inner}`)
    }
  }
  const folders = await Promise.all(
    paths.map(async (path) => ((await isFolder(join(prefix, path))) ? path : [])),
  )
  return folders.flat()
}

/** `python3.11` has no use for the library of 3.12; others keep their versions inside one folder. */
function isOfVersion(program: string, path: string): boolean {
  if (!/^(?:python|pypy)/.test(program)) return true
  const version = /\d[\d.]*$/.exec(program)?.[0]
  const found = /\d[\d.]*t?$/.exec(basename(path))?.[0]
  if (version === undefined || found === undefined) return true
  return found === version || found.startsWith(`${version}.`) || found === `${version}t`
}

async function namesIn(folder: string): Promise<string[]> {
  // Many systems have no lib64.
  return await readdir(folder).catch(() => [])
}

/** Also behind a link, where that does not lead out of the system. */
async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory() && isSystemPlace(await realpath(path))
  } catch {
    return false
  }
}
