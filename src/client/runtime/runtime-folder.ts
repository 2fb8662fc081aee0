/** Where a user's runtimes lie: the private copies of Node, and what `phantom setup --runtime` chose. */
import { lstatSync, readFileSync, statSync } from 'node:fs'
import { mkdir, open, rename, rm, rmdir } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { PhantomError } from '../../contract/phantom-error.ts'
import { pinnedPackageFor, thisPlatform } from './pinned-runtime.ts'

const WRITABLE_BY_OTHERS = 0o022
const FOLDER_MODE = 0o755
const MAX_CHOICE_CHARS = 64 * 1024

/** Root's, and whatever root fetched is for everybody. Plugins of a root daemon have other users, who see no `/root`. */
const MACHINE_FOLDER = '/var/lib/phantom-ml'
const NAME = 'phantom-ml'
const RUNTIMES = 'runtimes'
const CHOICE = 'runtime.json'

export interface DataUser {
  xdgDataHome: string | undefined
  uid: number | undefined
  home: string
}

/** Where is looked, in this order; what is fetched or chosen is written into the first. */
export function dataFolders({ xdgDataHome, uid, home }: DataUser = thisUser()): [string, ...string[]] {
  if (xdgDataHome !== undefined && path.isAbsolute(xdgDataHome)) return [path.join(xdgDataHome, NAME)]
  if (uid === 0 && process.platform === 'linux') return [MACHINE_FOLDER]
  return [path.join(home, '.local/share', NAME), MACHINE_FOLDER]
}

function thisUser(): DataUser {
  return { xdgDataHome: process.env['XDG_DATA_HOME'], uid: process.getuid?.(), home: os.homedir() }
}

function dataFolder(): string {
  return dataFolders()[0]
}

export function runtimesFolder(): string {
  return path.join(dataFolder(), RUNTIMES)
}

export function choiceFile(): string {
  return path.join(dataFolder(), CHOICE)
}

/** Where the private copy of the pinned Node is, or would be. */
export function privateCopyFolder(id: string): string {
  return path.join(runtimesFolder(), id)
}

/**
 * The private copy, when it is there. It is not tried: it was before it got its name, in one step. An empty file, as a
 * crash of the machine leaves some, would end well and do nothing.
 * @throws PhantomError RUNTIME_NOT_FOUND where another user could have put it there
 */
export function findPrivateCopy(): { path: string; version: string } | null {
  const pinned = pinnedPackageFor(thisPlatform())
  if (pinned === null) return null
  for (const folder of dataFolders()) {
    const file = path.join(folder, RUNTIMES, pinned.id, 'bin/node')
    if (isThereAndTrusted(file, folder) && statSync(file).size > 0)
      return { path: file, version: pinned.version }
  }
  return null
}

/** The path that `phantom setup --runtime` was given, null when it never was. @throws PhantomError RUNTIME_NOT_FOUND */
export function readChoice(): string | null {
  for (const folder of dataFolders()) {
    const file = path.join(folder, CHOICE)
    if (isThereAndTrusted(file, folder)) return parseChoice(file)
  }
  return null
}

export async function writeChoice(runtime: string): Promise<void> {
  await makeFolder(dataFolder())
  const temporary = `${choiceFile()}.${process.pid}.tmp`
  try {
    const file = await open(temporary, 'w', 0o644)
    try {
      await file.writeFile(`${JSON.stringify({ path: runtime })}\n`)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, choiceFile())
  } finally {
    await rm(temporary, { force: true })
  }
}

/** Takes back all that setup and fetching wrote. What was there, or would be removed by a dry run. */
export async function removeRuntimes(isDryRun: boolean): Promise<string[]> {
  const there = [choiceFile(), runtimesFolder()].filter((entry) => isThere(entry))
  if (isDryRun) return there
  for (const entry of there) await rm(entry, { recursive: true, force: true })
  // Only when nothing of somebody else's is in it.
  await rmdir(dataFolder()).catch(() => undefined)
  return there
}

/** Never writable by others, whatever the umask: what lies in it is executed. */
export async function makeFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: FOLDER_MODE })
}

function parseChoice(file: string): string {
  try {
    const { path: chosen } = JSON.parse(readFileSync(file, 'utf8').slice(0, MAX_CHOICE_CHARS)) as {
      path?: unknown
    }
    if (typeof chosen === 'string' && path.isAbsolute(chosen)) return chosen
  } catch {
    // No JSON, or not to be read.
  }
  throw new PhantomError(
    'RUNTIME_NOT_FOUND',
    `Cannot read which runtime was chosen: "${file}" is not what "phantom setup --runtime" writes. ` +
      'Choose again: phantom setup --runtime /path/to/node',
  )
}

/** A root that runs with another user's folder must not execute what that user put there. */
function isThereAndTrusted(file: string, folder: string): boolean {
  if (!isThere(file)) return false
  const uid = process.getuid?.()
  if (uid === undefined) return true
  for (let entry = file; entry !== path.dirname(folder); entry = path.dirname(entry)) {
    const { uid: owner, mode } = statSync(entry)
    // Of a link: who made it, and what it leads to.
    const other = [lstatSync(entry).uid, owner].find((one) => one !== uid && one !== 0)
    if (other === undefined && (mode & WRITABLE_BY_OTHERS) === 0) continue
    const why = other === undefined ? 'may be written by others' : `belongs to another user (uid ${other})`
    throw new PhantomError(
      'RUNTIME_NOT_FOUND',
      `Cannot use "${file}": ${entry === file ? 'it' : `"${entry}"`} ${why}. ` +
        'Remove it or set XDG_DATA_HOME to a folder of your own',
      { details: { reason: 'not_trusted', path: entry } },
    )
  }
  return true
}

/** Nor is what this user may not look at, as in the home folder of a service that is shut off from it. */
function isThere(file: string): boolean {
  try {
    statSync(file)
    return true
  } catch {
    return false
  }
}
