import { statSync } from 'node:fs'
import type { LearnedPermissions } from '../../src/contract/learned-permissions.ts'
import { learnPermissions } from '../learning/learn-permissions.ts'
import type { PluginRecord } from '../registry/plugin-record.ts'
import type { HandlerPowers } from './system-handlers.ts'

/** What a plugin would need, by what it was seen to reach for. */
export function describeLearned(
  { observations, variables, facts }: Pick<HandlerPowers, 'observations' | 'variables' | 'facts'>,
  plugin: PluginRecord,
): LearnedPermissions {
  const mode = facts.permissions_mode
  const observed = observations.of(plugin.id)
  if (observed === null) {
    const { type } = plugin.manifest ?? {}
    const notes =
      mode === 'observe' && type !== undefined && type !== 'javascript'
        ? [`what a plugin of type "${type}" reaches for can't be observed: only JavaScript's runtime tells`]
        : []
    const nothing = { permissions: [], runtime: [], to_add: { permissions: [], runtime: [] } }
    return { plugin_id: plugin.id, mode, ...nothing, unused: [], notes, observed: [] }
  }
  const environment = variables.describe()
  const learned = learnPermissions(observed, { look, isSet: (name) => environment[name] !== undefined })
  return { plugin_id: plugin.id, mode, ...learned }
}

function look(path: string): 'file' | 'folder' | null {
  try {
    const stat = statSync(path)
    return stat.isDirectory() ? 'folder' : stat.isFile() ? 'file' : null
  } catch {
    // Not there, or not for the daemon to see: no grant would help either way.
    return null
  }
}
