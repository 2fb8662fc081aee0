import { nearestName } from '../../src/contract/manifest/nearest-name.ts'
import { PhantomError } from '../../src/contract/phantom-error.ts'
import { failedError } from '../process/plugin-keeper.ts'
import type { PluginRecord, RunnablePlugin } from './plugin-record.ts'

/** Why a plugin does not run, as the answer of a call. */
export function notRunnable(record: PluginRecord): PhantomError {
  const { id, state, reason, issues, dependencyProblem } = record
  const see = `See "phantom info ${id}"`
  if (state === 'failed') return failedError(id, reason ?? 'it ended too often')
  const details = { plugin_id: id, state, issues }
  if (state === 'invalid') {
    return new PhantomError(
      'MANIFEST_INVALID',
      `Cannot run "${id}": it is invalid: ${ended(reason)} ${see}`,
      {
        details,
      },
    )
  }
  if (state !== 'enabled') {
    return new PhantomError('PLUGIN_BLOCKED', `Cannot run "${id}": it is ${state}: ${ended(reason)} ${see}`, {
      details,
    })
  }
  if (record.isDisabled) {
    return new PhantomError(
      'PLUGIN_DISABLED',
      `Cannot run "${id}": its configuration says enabled: false. Switch it on with "phantom config set ${id} enabled=true"`,
      { details: { plugin_id: id } },
    )
  }
  return new PhantomError('DEPENDENCY_UNAVAILABLE', `Cannot run "${id}": ${dependencyProblem}. ${see}`, {
    details: { plugin_id: id },
  })
}

/** With a full stop, unless it ends with a question already. */
function ended(reason: string | null): string {
  return /[.?!]$/.test(reason ?? '') ? `${reason}` : `${reason}.`
}

/** @throws PhantomError OPERATION_NOT_FOUND */
export function checkOperation(plugin: RunnablePlugin, operation: string): void {
  const { operations } = plugin.manifest
  if (plugin.current.hasOperation(operation)) return
  const names = operations.map((known) => known.name)
  const nearest = nearestName(operation, names)
  throw new PhantomError(
    'OPERATION_NOT_FOUND',
    `Cannot run "${operation}" of "${plugin.id}": its plugin.toml declares no such operation. ` +
      (nearest === null ? `It declares ${names.join(', ')}` : `Did you mean "${nearest}"?`),
    { details: { plugin_id: plugin.id, operation, nearest, operations: names } },
  )
}
