import type { PluginState } from '../contract/life.ts'
import { paint } from './output.ts'

const COLOUR_OF = {
  discovered: 'gray',
  validated: 'gray',
  blocked: 'yellow',
  enabled: 'green',
  invalid: 'red',
  failed: 'red',
  quarantined: 'red',
} as const satisfies Record<PluginState, Parameters<typeof paint>[0]>

export function paintState(state: PluginState, text: string): string {
  return paint(COLOUR_OF[state], text)
}
