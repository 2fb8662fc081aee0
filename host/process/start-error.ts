import { isPhantomError, PhantomError } from '../../src/contract/phantom-error.ts'
import type { Answer } from '../../src/rpc/connection.ts'
import { closedFile } from './closed-file.ts'
import { classifyExit, howEnded, type EndCause, type ProcessEnd } from './exit-reason.ts'
import type { InstanceSpec } from './instance-spec.ts'
import type { RunnerInstance } from './runner-instance.ts'
import { breachAtStart, memoryAtStart, type StartLimit } from './start-limit.ts'

export interface FailedStart {
  /** What the runner answered; null when it did not. */
  readonly answer: Answer | null
  readonly timedOut: boolean
  /** Who ended it while it started; null when nobody did. */
  readonly cause: EndCause | null
  /** The limit that its answer tells of; null where it tells of none. */
  readonly limit: StartLimit | null
  /** Null where the process could not be ended. */
  readonly end: ProcessEnd | null
}

const MAX_TAIL_CHARS = 600
const MAX_CAUSES = 8

/** What the machine, and not the plugin, lacks: errno(3), and Node that says no more than that there is no process. */
const SHORTAGES: ReadonlyMap<unknown, string> = new Map([
  ['NO_PROCESS', 'the system gave no process. Look at the limits on processes and open files (ulimit -a)'],
  ['EMFILE', 'the daemon may open no more files. Raise its limit (ulimit -n, LimitNOFILE=)'],
  ['ENFILE', 'the system may open no more files. Raise fs.file-max'],
  ['EAGAIN', 'the system gives no more processes. Raise the limit on them (ulimit -u, TasksMax=)'],
  ['ENOMEM', 'the system has no memory left. Free some'],
  ['ENOSPC', 'the disk is full. Free some of it'],
  ['EDQUOT', 'the quota of the disk is used up. Free some of it'],
])

/** Says why an instance never became ready, in the words of whoever knows most. */
export function startError(instance: RunnerInstance, failed: FailedStart): PhantomError {
  const { spec, denials } = instance
  const id = spec.initialize.plugin_id
  const see = `See "phantom logs ${id}"`
  if (failed.cause === 'host_shutdown') {
    return new PhantomError('DAEMON_SHUTTING_DOWN', `Cannot start "${id}": the daemon is shutting down`)
  }
  if (failed.timedOut) {
    const seconds = spec.startTimeoutMs / 1000
    return new PhantomError(
      'PLUGIN_START_TIMEOUT',
      `Cannot start "${id}": it was not ready after ${seconds} s, so its process was killed. ` +
        `${soonerWords(spec)}. ${see}`,
      { details: { plugin_id: id, start_timeout_ms: spec.startTimeoutMs } },
    )
  }
  if (failed.answer !== null && failed.answer.error !== null) {
    const closed = closedFile(spec, failed.answer.error)
    if (closed !== null) {
      const details = { plugin_id: id, deterministic: true }
      return new PhantomError('PLUGIN_START_FAILED', `Cannot start "${id}": ${closed}`, { details })
    }
    const denial = denials.behindStart(failed.answer.error)
    if (denial !== null) return denial
    if (failed.limit !== null) return limitError(id, failed.limit, see)
    return new PhantomError(
      'PLUGIN_START_FAILED',
      `Cannot start "${id}": ${failed.answer.error.message}. ${see}`,
      { details: { plugin_id: id, ...(isDeterministic(failed.answer) ? { deterministic: true } : {}) } },
    )
  }
  if (failed.end?.breach != null) return limitError(id, breachAtStart(failed.end.breach), see)
  if (failed.end !== null && classifyExit(failed.end) === 'oom')
    return limitError(id, memoryAtStart(instance), see)
  return new PhantomError(
    'PLUGIN_START_FAILED',
    `Cannot start "${id}": its process ended before it was ready${endWords(failed.end)}. ${see}`,
    { details: { plugin_id: id } },
  )
}

/** A process that was ended for what it sent may have said anything else. */
function endWords(end: ProcessEnd | null): string {
  if (end === null) return ''
  if (end.violation !== null) return `: it broke the protocol: ${end.violation}`
  const tail = end.stderrTail.trim().slice(-MAX_TAIL_CHARS)
  return tail === '' ? ` (${howEnded(end)})` : `; it last said: ${tail}`
}

function limitError(id: string, { words, details }: StartLimit, see: string): PhantomError {
  return new PhantomError('PLUGIN_START_FAILED', `Cannot start "${id}": ${words}. ${see}`, {
    details: { plugin_id: id, ...details },
  })
}

/** Behind a gate it is a program that has no hooks of ours. */
function soonerWords({ plan, initialize }: InstanceSpec): string {
  return plan.expected.isGated
    ? `Let ${initialize.entry} answer "initialize" sooner`
    : `Do less in initialize() and at the top level of ${initialize.entry}`
}

/** The start failed because the machine ran out of something: no word about the plugin. Null where it did not. */
export function shortageError(pluginId: string, error: unknown): PhantomError | null {
  const shortage = shortageIn(error)
  if (shortage === null) return null
  return new PhantomError(
    'PLUGIN_START_FAILED',
    `Cannot start "${pluginId}": ${SHORTAGES.get(shortage)}, then call again (${shortage})`,
    { cause: error, details: { plugin_id: pluginId, shortage } },
  )
}

function shortageIn(error: unknown): string | null {
  let at = error
  for (let depth = 0; depth < MAX_CAUSES && at instanceof Error; depth += 1) {
    const code: unknown = isPhantomError(at) ? at.details['shortage'] : (at as NodeJS.ErrnoException).code
    if (SHORTAGES.has(code)) return String(code)
    at = at.cause
  }
  return null
}

/** A runner that lies about this takes its own plugin down, and no other. */
function isDeterministic({ error }: Answer): boolean {
  return error?.data?.details?.['deterministic'] === true
}
