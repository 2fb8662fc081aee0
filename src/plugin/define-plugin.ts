import { checkDefinition } from './check-definition.ts'
import type { PluginDefinition } from './plugin-definition.ts'

/**
 * Declares a plugin; its module exports the result as default. Each operation's input is typed from its
 * `input_schema`, no `as const` needed.
 *
 * @throws TypeError when the definition has a key that is not known, or a value of the wrong kind.
 */
export function definePlugin<const Schemas>(
  definition: PluginDefinition<Schemas>,
): PluginDefinition<Schemas> {
  checkDefinition(definition)
  return definition
}
