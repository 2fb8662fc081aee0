import { realpath } from 'node:fs/promises'
import { PhantomError } from '../../src/contract/phantom-error.ts'
import { quoteText } from '../../src/contract/quote-text.ts'
import type { Executable } from '../native/executable.ts'
import { isProjectPlace } from '../native/system-places.ts'
import { canonicalPath, contains } from '../sandbox/paths.ts'

/**
 * What an executable names of the system is shown to it without a permission. Where plugins, the daemon's state and a
 * workspace lie in a folder of the system (/opt/app), that would be a way to all of them: an interpreter that somebody
 * put there has its library where a link says.
 *
 * @throws PhantomError PLUGIN_START_FAILED
 */
export async function refuseProjectFiles(
  pluginId: string,
  { systemPaths }: Executable,
  places: readonly string[],
): Promise<void> {
  const projects = places.map((place) => canonicalPath(place).path).filter(isProjectPlace)
  for (const path of projects.length === 0 ? [] : systemPaths) {
    const canonical = await realpath(path)
    const project = projects.find((one) => [path, canonical].some((found) => meets(one, found)))
    if (project === undefined) continue
    throw new PhantomError(
      'PLUGIN_START_FAILED',
      `Cannot start "${pluginId}": its executable needs ${quoteText(path)} of the system, which lies in ` +
        `${quoteText(project)}, where plugins and projects lie. Install that for all users, or put libraries into the plugin's folder`,
      { details: { plugin_id: pluginId, deterministic: true } },
    )
  }
}

function meets(one: string, other: string): boolean {
  return contains(one, other) || contains(other, one)
}
