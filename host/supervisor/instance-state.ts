import type { InstanceState } from '../../src/contract/life.ts'

/** What can happen to one process of a plugin. How many calls it runs is a counter, not a state. */
export const INSTANCE_EVENTS = ['initialized', 'drain', 'exited', 'wait', 'retry'] as const
export type InstanceEvent = (typeof INSTANCE_EVENTS)[number]

const TABLE: Readonly<Record<InstanceState, Partial<Record<InstanceEvent, InstanceState>>>> = {
  backoff: { retry: 'starting', exited: 'stopped' },
  starting: { initialized: 'ready', drain: 'draining', exited: 'stopped', wait: 'backoff' },
  ready: { drain: 'draining', exited: 'stopped' },
  draining: { exited: 'stopped' },
  stopped: {},
}

/** @throws RangeError for an event that cannot happen in that state: a defect of the caller. */
export function nextInstanceState(state: InstanceState, event: InstanceEvent): InstanceState {
  const next = TABLE[state][event]
  if (next === undefined) throw new RangeError(`Cannot move an instance on "${event}": it is ${state}`)
  return next
}
