import type { Gate } from '../../src/contract/generations.ts'
import { isPhantomError, messageOf, PhantomError } from '../../src/contract/phantom-error.ts'
import type { PluginRecord } from '../registry/plugin-record.ts'
import type { Generation } from './generation.ts'

/** A new generation did not pass. Never leaves this folder: callers get `rejectedError`. */
export class GateFailure extends Error {
  readonly gate: Gate
  /** Null where there was no manifest to make one of. */
  readonly generation: Generation | null

  constructor(gate: Gate, cause: unknown, generation: Generation | null = null) {
    super(typeof cause === 'string' ? cause : messageOf(cause), { cause })
    this.gate = gate
    this.generation = generation
  }
}

export function rejectedError(plugin: PluginRecord, number: number, failure: GateFailure): PhantomError {
  const { gate, message, cause } = failure
  const goesOn =
    plugin.current === null
      ? 'Mend it and save it again'
      : `Generation ${plugin.current.number} goes on serving; mend it and save it again`
  const details = isPhantomError(cause) ? cause.details : {}
  return new PhantomError(
    'GENERATION_REJECTED',
    `Cannot reload "${plugin.id}": generation ${number} failed at "${gate}": ${message}. ${goesOn}`,
    { cause, details: { ...details, plugin_id: plugin.id, generation: number, gate } },
  )
}
