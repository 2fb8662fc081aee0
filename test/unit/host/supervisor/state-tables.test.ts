import { expect } from 'chai'
import { nextInstanceState, type InstanceEvent } from '../../../../host/supervisor/instance-state.ts'
import { nextPluginState, type PluginEvent } from '../../../../host/supervisor/plugin-state.ts'
import type { InstanceState, PluginState } from '../../../../src/contract/life.ts'

const INSTANCE_EVENTS: InstanceEvent[] = ['initialized', 'drain', 'exited', 'wait', 'retry']
const PLUGIN_EVENTS: PluginEvent[] = [
  'manifest_valid',
  'manifest_invalid',
  'rights_granted',
  'rights_refused',
  'gave_up',
  'reset',
  'quarantined',
]

const PLUGIN_STATES: PluginState[] = [
  'discovered',
  'validated',
  'blocked',
  'enabled',
  'invalid',
  'failed',
  'quarantined',
]

describe('nextInstanceState()', () => {
  it('leads from start over ready and draining to stopped', () => {
    const path = (['initialized', 'drain', 'exited'] as const).reduce<InstanceState[]>(
      (seen, event) => [...seen, nextInstanceState(seen.at(-1)!, event)],
      ['starting'],
    )
    expect(path).to.deep.equal(['starting', 'ready', 'draining', 'stopped'])
  })

  it('never leaves stopped, whatever happens', () => {
    for (const event of INSTANCE_EVENTS)
      expect(() => nextInstanceState('stopped', event)).to.throw(RangeError)
  })

  it('never comes back to ready once it drains', () => {
    for (const event of INSTANCE_EVENTS.filter((known) => known !== 'exited')) {
      expect(() => nextInstanceState('draining', event)).to.throw(RangeError)
    }
  })
})

describe('nextPluginState()', () => {
  it('enables only what was validated and granted its rights', () => {
    const before = PLUGIN_STATES.filter((state) =>
      PLUGIN_EVENTS.some((event) => leadsTo(state, event) === 'enabled'),
    )
    expect(before).to.deep.equal(['validated', 'blocked'])
  })
})

function leadsTo(state: PluginState, event: PluginEvent): PluginState | null {
  try {
    return nextPluginState(state, event)
  } catch (error) {
    expect(error).to.be.instanceOf(RangeError)
    return null
  }
}
