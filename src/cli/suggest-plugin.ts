import type { PluginSystemApi } from '../client/plugin-system-api.ts'
import { nearestName } from '../contract/manifest/nearest-name.ts'
import { isPhantomError, PhantomError } from '../contract/phantom-error.ts'

export interface Wanted {
  pluginId: string
  operation?: string
}

/** Adds the nearest known name to "not found", where the daemon did not name one itself. */
export async function withNearest<T>(
  api: PluginSystemApi,
  wanted: Wanted,
  call: () => Promise<T>,
): Promise<T> {
  try {
    return await call()
  } catch (error) {
    if (!isPhantomError(error) || 'nearest' in error.details) throw error
    const nearest = await nearestOf(api, wanted, error)
    if (nearest === null) throw error
    const details = { ...error.details, nearest }
    throw new PhantomError(error.code, error.message, { details, cause: error.cause })
  }
}

async function nearestOf(api: PluginSystemApi, wanted: Wanted, error: PhantomError): Promise<string | null> {
  if (error.code !== 'PLUGIN_NOT_FOUND' && error.code !== 'OPERATION_NOT_FOUND') return null
  // The call's own failure is what counts: a list that cannot be had leaves it without a suggestion.
  const plugins = await api.list_plugins().catch(() => [])
  if (error.code === 'PLUGIN_NOT_FOUND') {
    return nearestName(
      wanted.pluginId,
      plugins.map((plugin) => plugin.id),
    )
  }
  const operations = plugins.find((plugin) => plugin.id === wanted.pluginId)?.operations ?? []
  return nearestName(wanted.operation ?? '', operations)
}
