import { chmodSync, lstatSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { messageOf, PhantomError } from '../../src/contract/phantom-error.ts'
import { quoteText } from '../../src/contract/quote-text.ts'
import { STATE_PARENT } from '../../src/rpc/endpoint.ts'

const OTHERS_MAY_LOOK = 0o055
const OTHERS_MAY_WRITE = 0o022

/**
 * Makes the folder with mode 0700, or 0711 where others must get through to what is theirs in it: without bubblewrap
 * the runners of a root daemon, who have uids of their own, and whoever the applications' socket is opened to. What is
 * not theirs has a mode that keeps them out. One that is there already and only readable for others is narrowed; one
 * that others may write into is refused, since it may be shared (`/tmp`) and what lies in it may not be ours.
 */
export function prepareStateFolder(stateDirectory: string, letsOthersThrough = false): void {
  const wanted = letsOthersThrough || process.getuid?.() === 0 ? 0o711 : 0o700
  try {
    refuseDefaultLink(stateDirectory)
    mkdirSync(stateDirectory, { recursive: true, mode: wanted })
    const { mode } = statSync(stateDirectory)
    if ((mode & OTHERS_MAY_WRITE) !== 0) {
      throw new PhantomError(
        'CONFIG_INVALID',
        `Cannot use the state folder "${stateDirectory}": other users may write into it (mode ${octal(mode)}). ` +
          `Run chmod 700 on it, or name another folder`,
        { details: { path: stateDirectory, mode: octal(mode) } },
      )
    }
    refuseLinks(stateDirectory)
    if ((mode & OTHERS_MAY_LOOK) !== wanted - 0o700) chmodSync(stateDirectory, wanted)
    endPackage(stateDirectory)
  } catch (error) {
    if (error instanceof PhantomError) throw error
    throw new PhantomError(
      'CONFIG_INVALID',
      `Cannot use the state folder "${stateDirectory}": ${messageOf(error)}. ` +
        `Name a folder that the user of the daemon owns`,
      { cause: error, details: { path: stateDirectory } },
    )
  }
}

/** Of plugins, each of which is refused by itself where its folder is a link. */
const DATA = 'data'

/**
 * We make none. One may have come along with a project, and what is written, appended and removed here would be so where
 * it leads: of folders that nobody needs any more everything goes.
 */
function refuseLinks(stateDirectory: string): void {
  const below = (folder: string) =>
    readdirSync(join(stateDirectory, folder), { withFileTypes: true }).map((entry) => ({
      path: join(folder, entry.name),
      entry,
    }))
  const outer = below('.')
  const inner = outer.flatMap(({ path, entry }) =>
    entry.isDirectory() && entry.name !== DATA ? below(path) : [],
  )
  const link = [...outer, ...inner].find(({ entry }) => entry.isSymbolicLink())
  if (link !== undefined) throw linkError(stateDirectory, `${quoteText(link.path)} in it`)
}

/** Where a project has its own by default: nobody named that place, so nobody meant one elsewhere. */
function refuseDefaultLink(stateDirectory: string): void {
  const parent = dirname(stateDirectory)
  if (basename(parent) !== STATE_PARENT) return
  for (const path of [parent, stateDirectory]) {
    const isLink = lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true
    if (isLink) throw linkError(stateDirectory, path === parent ? quoteText(STATE_PARENT) : 'it')
  }
}

function linkError(stateDirectory: string, what: string): PhantomError {
  return new PhantomError(
    'CONFIG_INVALID',
    `Cannot use the state folder "${stateDirectory}": ${what} is a symbolic link. Remove it, or name another state folder`,
    { details: { path: stateDirectory } },
  )
}

/**
 * Where no mounts hide it, Node looks for a module's kind up to the application's own package.json: the copies of plugins
 * and their data folders belong to no package but theirs.
 */
function endPackage(stateDirectory: string): void {
  const file = join(stateDirectory, 'package.json')
  try {
    writeFileSync(file, '{}\n', { flag: 'wx' })
    chmodSync(file, 0o644)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}

function octal(mode: number): string {
  return (mode & 0o7777).toString(8).padStart(4, '0')
}
