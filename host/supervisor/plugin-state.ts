import type { PluginState } from '../../src/contract/life.ts'

/** What can happen to a plugin as a whole. Its processes have a table of their own. */
export const PLUGIN_EVENTS = [
  'manifest_valid',
  'manifest_invalid',
  'rights_granted',
  'rights_refused',
  'gave_up',
  'reset',
  'quarantined',
] as const
export type PluginEvent = (typeof PLUGIN_EVENTS)[number]

const TABLE: Readonly<Record<PluginState, Partial<Record<PluginEvent, PluginState>>>> = {
  discovered: { manifest_valid: 'validated', manifest_invalid: 'invalid', quarantined: 'quarantined' },
  validated: { rights_granted: 'enabled', rights_refused: 'blocked', quarantined: 'quarantined' },
  blocked: { rights_granted: 'enabled', reset: 'discovered', quarantined: 'quarantined' },
  enabled: { gave_up: 'failed', rights_refused: 'blocked', reset: 'discovered', quarantined: 'quarantined' },
  invalid: { reset: 'discovered' },
  failed: { reset: 'discovered', quarantined: 'quarantined' },
  quarantined: { reset: 'discovered' },
}

/** @throws RangeError for an event that cannot happen in that state: a defect of the caller. */
export function nextPluginState(state: PluginState, event: PluginEvent): PluginState {
  const next = TABLE[state][event]
  if (next === undefined) throw new RangeError(`Cannot move a plugin on "${event}": it is ${state}`)
  return next
}
