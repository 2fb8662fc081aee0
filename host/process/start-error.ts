import { PhantomError } from '../../src/contract/phantom-error.ts'
import type { Answer } from '../../src/rpc/connection.ts'
import type { EndCause } from './exit-reason.ts'
import type { InstanceSpec } from './runner-instance.ts'

export interface FailedStart {
  readonly spec: InstanceSpec
  /** What the runner answered; null when it did not. */
  readonly answer: Answer | null
  readonly timedOut: boolean
  /** Who ended it while it started; null when nobody did. */
  readonly cause: EndCause | null
  readonly stderrTail: string
}

const MAX_TAIL_CHARS = 600

/** Says why an instance never became ready, in the words of whoever knows most. */
export function startError(failed: FailedStart): PhantomError {
  const id = failed.spec.initialize.plugin_id
  const see = `See "phantom logs ${id}"`
  if (failed.cause === 'host_shutdown') {
    return new PhantomError('DAEMON_SHUTTING_DOWN', `Cannot start "${id}": the daemon is shutting down`)
  }
  if (failed.timedOut) {
    const seconds = failed.spec.startTimeoutMs / 1000
    return new PhantomError(
      'PLUGIN_START_TIMEOUT',
      `Cannot start "${id}": it was not ready after ${seconds} s, so its process was killed. ` +
        `Do less in initialize() and at the top level of ${failed.spec.initialize.entry}. ${see}`,
      { details: { plugin_id: id, start_timeout_ms: failed.spec.startTimeoutMs } },
    )
  }
  if (failed.answer !== null && failed.answer.error !== null) {
    return new PhantomError(
      'PLUGIN_START_FAILED',
      `Cannot start "${id}": ${failed.answer.error.message}. ${see}`,
      {
        details: { plugin_id: id },
      },
    )
  }
  const tail = failed.stderrTail.trim().slice(-MAX_TAIL_CHARS)
  return new PhantomError(
    'PLUGIN_START_FAILED',
    `Cannot start "${id}": its process ended before it was ready${tail === '' ? '' : `; it last said: ${tail}`}. ${see}`,
    { details: { plugin_id: id } },
  )
}
