/** Writes the files of a new plugin: those of its templates, with its names in them, and copies of what it needs. */
import fs from 'node:fs'
import path from 'node:path'
import { packageRoot } from '../../client/package-root.ts'
import { PhantomError } from '../../contract/phantom-error.ts'
import { PLUGIN_KINDS, type Kind, type PluginKind } from './plugin-kinds.ts'

/** In the package as in the checkout: see "files" of package.json. */
const TEMPLATES = 'src/cli/scaffold/templates'
const CRATE = 'sandbox-runner/rust'
/** npm leaves a `.gitignore` out of a package. */
const RENAMED: ReadonlyMap<string, string> = new Map([['gitignore', '.gitignore']])

const ELSEWHERE = 'Name another folder with --directory'

interface Wanted {
  readonly id: string
  readonly name: string
  readonly kind: PluginKind
  readonly folder: string
}

export interface NewPlugin extends Wanted {
  readonly files: readonly { readonly path: string; readonly isReplaced: boolean }[]
}

/** @throws PhantomError PARAMS_INVALID where its folder is no folder, or has files that may not be replaced */
export function writePlugin(
  wanted: Wanted,
  { isDryRun, mayReplace }: { isDryRun: boolean; mayReplace: boolean },
): NewPlugin {
  const texts = textsOf(wanted)
  assertRoom(wanted, mayReplace)
  const files = [...texts.keys()].toSorted().map((file) => {
    return { path: file, isReplaced: isThere(path.join(wanted.folder, file)) }
  })
  if (!isDryRun) for (const [file, text] of texts) write(wanted, file, text)
  return { ...wanted, files }
}

function textsOf(wanted: Wanted): Map<string, string> {
  const root = packageRoot()
  const { templates, copied }: Kind = PLUGIN_KINDS[wanted.kind]
  const texts = new Map<string, string>()
  for (const template of templates) {
    const folder = path.join(root, TEMPLATES, template)
    for (const file of filesIn(folder)) {
      const name = RENAMED.get(path.basename(file)) ?? path.basename(file)
      const text = fs.readFileSync(path.join(folder, file), 'utf8')
      texts.set(path.join(path.dirname(file), name), filledIn(text, wanted, root))
    }
  }
  for (const { from, names, to } of copied) {
    for (const file of filesIn(path.join(root, from)).filter((name) => names.test(name)))
      texts.set(path.join(to, file), fs.readFileSync(path.join(root, from, file), 'utf8'))
  }
  return texts
}

function filesIn(folder: string): string[] {
  const entries = fs.readdirSync(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile())
  return files.map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)))
}

function filledIn(text: string, { id, name, folder }: Wanted, root: string): string {
  // TOML's strings escape as JSON's do.
  const crate = JSON.stringify(crateFrom(folder, root)).slice(1, -1)
  const places: Readonly<Record<string, string>> = { id, name, crate }
  return text.replaceAll(/\{\{(\w+)\}\}/g, (place, key: string) => places[key] ?? place)
}

/** A project that moves keeps the package that is installed in it; one from elsewhere is named where it is. */
function crateFrom(folder: string, root: string): string {
  for (let above = path.dirname(folder); above !== path.dirname(above); above = path.dirname(above)) {
    const installed = path.join(above, 'node_modules/@phantom-ml/core')
    if (fs.existsSync(installed) && fs.realpathSync(installed) === fs.realpathSync(root))
      return path.relative(folder, path.join(installed, CRATE))
  }
  return path.join(root, CRATE)
}

function assertRoom(wanted: Wanted, mayReplace: boolean): void {
  const names = namesIn(wanted)
  if (names.length === 0 || mayReplace) return
  const some = names.slice(0, 3).join(', ')
  const found = `there are files in "${wanted.folder}" already (${some}${names.length > 3 ? ', …' : ''})`
  throw refused(wanted, `${found}. ${ELSEWHERE}, or write over those of the same names with --force`)
}

function namesIn(wanted: Wanted): string[] {
  try {
    return fs.readdirSync(wanted.folder).toSorted()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return []
    const found = code === 'ENOTDIR' ? 'is, or lies below, a file' : `can't be read (${code})`
    throw refused(wanted, `"${wanted.folder}" ${found}. ${ELSEWHERE}`, error)
  }
}

/** Links that lead nowhere, too. */
function isThere(file: string): boolean {
  return fs.lstatSync(file, { throwIfNoEntry: false }) !== undefined
}

function write(wanted: Wanted, name: string, text: string): void {
  const file = path.join(wanted.folder, name)
  try {
    fs.mkdirSync(path.dirname(file), { recursive: true })
    // A link in its place is replaced, not followed.
    fs.rmSync(file, { force: true })
    fs.writeFileSync(file, text, { flag: 'wx', mode: text.startsWith('#!') ? 0o777 : 0o666 })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw refused(wanted, `"${file}" can't be written (${code}). ${ELSEWHERE}`, error)
  }
}

function refused({ id, folder }: Wanted, found: string, cause?: unknown): PhantomError {
  return new PhantomError('PARAMS_INVALID', `Cannot write the plugin "${id}": ${found}`, {
    details: { plugin_id: id, path: folder },
    ...(cause === undefined ? {} : { cause }),
  })
}
