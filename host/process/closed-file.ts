import { statSync } from 'node:fs'
import { join, relative, resolve, sep } from 'node:path'
import type { WireError } from '../../src/contract/phantom-error.ts'
import { quoteText } from '../../src/contract/quote-text.ts'
import { contains } from '../sandbox/paths.ts'
import type { InstanceSpec } from './instance-spec.ts'

const OTHERS_READ = 0o4
const OTHERS_ENTER = 0o1

/**
 * A root daemon's plugin has a uid of its own, and the copy of its files the modes of the files themselves: what others
 * may not read it may not either, and Node says of such a folder that there is no module. Null where what the plugin
 * failed of is not that. The error is the plugin's word; what it names is looked at.
 */
export function closedFile(
  { uid, plan, generation }: Pick<InstanceSpec, 'uid' | 'plan' | 'generation'>,
  error: WireError,
): string | null {
  if (uid === process.getuid?.()) return null
  const { directory, id } = generation
  for (const named of pathsIn(error)) {
    if (!contains(plan.pluginPath, named)) continue
    const closed = closedOnTheWay(directory, relative(plan.pluginPath, named))
    if (closed === null) continue
    const { path, mode, verb } = closed
    return (
      `${quoteText(path)} has mode ${(mode & 0o777).toString(8).padStart(4, '0')}, and uid ${uid}, as which the plugin ` +
      `runs, may not ${verb} it. Open its files: chmod -R o+rX ${quoteText(directory)}; then run "phantom reload ${id}"`
    )
  }
  return null
}

/** `Cannot find module '/a'`, `EACCES: permission denied, open '/a'`, and what Node's permission model was asked for. */
function pathsIn({ message, data }: WireError): string[] {
  const { resource } = data?.details ?? {}
  const quoted = Array.from(message.matchAll(/'(\/[^']+)'/g), ([, path]) => path ?? '')
  return [...(typeof resource === 'string' ? [resource] : []), ...quoted].map((path) => resolve(path))
}

/** The first that is closed to others, from the folder itself on; null where none is. */
function closedOnTheWay(root: string, inside: string) {
  let path = root
  for (const name of ['', ...inside.split(sep)]) {
    path = join(path, name)
    const stat = statSync(path, { throwIfNoEntry: false })
    if (stat === undefined) return null
    const [needed, verb] = stat.isDirectory() ? [OTHERS_ENTER, 'enter'] : [OTHERS_READ, 'read']
    if ((stat.mode & needed) === 0) return { path, mode: stat.mode, verb }
  }
  return null
}
