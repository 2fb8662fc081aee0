import { EVERY_PLUGIN } from '../../src/contract/manifest/parse-messages.ts'
import { nearestName } from '../../src/contract/manifest/nearest-name.ts'
import { PhantomError } from '../../src/contract/phantom-error.ts'
import { quoteText } from '../../src/contract/quote-text.ts'
import type { RunnablePlugin } from '../registry/plugin-record.ts'
import type { Letter } from './message-router.ts'

/**
 * A plugin takes what its manifest says, from whom it says, and nothing else.
 *
 * @throws PhantomError MESSAGE_REFUSED
 */
export function refuseUnlessTaken(
  { id, current }: RunnablePlugin,
  { sender, origin, type }: Pick<Letter, 'sender' | 'origin' | 'type'>,
): void {
  const refused = (why: string, remedy: string): PhantomError =>
    new PhantomError('MESSAGE_REFUSED', `Cannot send ${quoteText(type)} to "${id}": ${why}. ${remedy}`, {
      details: { plugin_id: id, sender, type },
    })
  if (sender === id) throw refused('it would be a message to itself', 'Call the function instead')
  const { messages } = current.manifest
  const taken = messages.find((known) => known.type === type)
  if (taken === undefined) {
    const types = messages.map((known) => known.type)
    const nearest = nearestName(type, types)
    const known = types.length === 0 ? 'It takes none' : `It takes ${types.join(', ')}`
    throw refused('it takes no such message', nearest === null ? known : `Did you mean "${nearest}"?`)
  }
  const { from } = taken
  const toAllow = `To allow it, add "${sender}" to from of that [[messages]] in the plugin.toml of "${id}"`
  // An absent line never means every plugin.
  if (from === null) {
    if (origin === 'plugin') throw refused('it takes it from applications alone', toAllow)
  } else if (!from.includes(sender) && !from.includes(EVERY_PLUGIN)) {
    throw refused(`it does not take it from "${sender}"`, toAllow)
  }
}
