import { messageOf, PhantomError } from '../contract/phantom-error.ts'
import { parseHostileJson } from './hostile-json.ts'

/**
 * What a plugin returned, by whoever consumes it: nobody before looked at it. That it can't be read is the plugin's
 * failure, and nothing that the caller sent.
 *
 * @throws PhantomError PLUGIN_FAULT
 */
export function readReturned(pluginId: string, text: string): unknown {
  try {
    return parseHostileJson(text)
  } catch (error) {
    const message = `Cannot read what plugin "${pluginId}" returned: ${messageOf(error)}`
    throw new PhantomError('PLUGIN_FAULT', message, { cause: error, details: { plugin_id: pluginId } })
  }
}
