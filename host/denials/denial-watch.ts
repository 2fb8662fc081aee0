import type { EgressRefusal } from '../egress/egress-meter.ts'
import type { Execution } from '../execution/execution.ts'
import { RUNNER_ERRORS } from '../../src/contract/runner-methods.ts'
import { PhantomError, type WireError } from '../../src/contract/phantom-error.ts'
import type { Redactor } from '../secrets/redactor.ts'
import { accessBehind, accessKey, readAccess, type Access } from './access.ts'
import { describeDenial, describeRefusal, isGranted, isPrivate, type Denial, type Reach } from './denial.ts'

/** Different things that one call, or a process beside its calls, can be told of. */
const MAX_DENIALS = 32
/**
 * How a refused request fails in a plugin: `fetch` and `node:https` by an error of theirs, an answer 403 that somebody
 * took for another by the status, by its text, or since that is no JSON.
 */
const FAILED_REQUEST =
  /fetch failed|tunnel|\b403\b|forbidden|not granted|is not valid JSON|socket|network|proxy|other side closed|cancelled|ECONN|UND_ERR/i

interface DenialWatchOptions {
  readonly reach: Reach
  /** Takes secrets out of a text. */
  readonly redact: (text: string) => string
  /** Once for each call and thing. The call is null where it is not known which one, or none, was refused. */
  readonly onDenied: (denial: Denial, execution: Execution | null) => void
  /** Where the plugin is observed, all that it reaches for, and nothing is a denial. Null where it is not. */
  readonly onObserved: ((access: Access) => void) | null
}

export interface DenialEvents {
  readonly redactor: Redactor
  onDenied(denial: Denial, execution: Execution | null): void
  readonly onObserved: ((access: Access, reach: Reach) => void) | null
}

/**
 * What one process was refused. All that the process says of it is a claim: a denial is only what the host itself
 * knows to be outside of the grants, so none can be made up for what a plugin holds.
 */
export class DenialWatch {
  readonly #options: DenialWatchOptions
  readonly #told = new WeakMap<Execution, Set<string>>()
  readonly #toldBeside = new Set<string>()
  /** The last request of a call that the proxy refused. */
  readonly #atProxy = new WeakMap<Execution, Denial>()

  /** Of a process, for whoever hears of it. */
  static of(reach: Reach, events: DenialEvents): DenialWatch {
    const { redactor, onObserved } = events
    return new DenialWatch({
      reach,
      redact: (text) => redactor.redact(text),
      onDenied: (denial, execution) => events.onDenied(denial, execution),
      onObserved: onObserved === null ? null : (access) => onObserved(access, reach),
    })
  }

  private constructor(options: DenialWatchOptions) {
    this.#options = options
  }

  /** The runtime refused something; the plugin may have caught that. False for params that are not the contract's. */
  reported(params: unknown, execution: Execution | null): boolean {
    const { permission, resource } = (params ?? {}) as Record<string, unknown>
    if (typeof permission !== 'string' || typeof resource !== 'string') return false
    const access = readAccess(permission, resource, this.#options.reach.workspace)
    if (access !== null && this.#options.onObserved !== null) {
      this.#options.onObserved(redacted(access, this.#options.redact))
      return true
    }
    if (access === null || this.#isTold(access, execution)) return true
    const denial = this.#denialOf(access, true)
    if (denial !== null && this.#tell(denial, execution)) execution?.addWarning(denial.sentence)
    return true
  }

  /**
   * The proxy refused something, and that is the host's own word. With several calls in the process, it is not known
   * whose it was.
   */
  refusedByProxy({ host, port, message, missing }: EgressRefusal, inFlight: readonly Execution[]): void {
    const access = { kind: 'network', host: this.#options.redact(host), port } as const
    this.#options.onObserved?.(access)
    if (this.#options.onObserved !== null) return
    const denial = describeRefusal(
      access,
      { message: this.#options.redact(message), missing },
      this.#options.reach,
    )
    for (const execution of inFlight) this.#atProxy.set(execution, denial)
    const only = inFlight.length === 1 ? inFlight[0]! : null
    if (this.#tell(denial, only)) only?.addWarning(denial.sentence)
  }

  /** The error of a call that failed of a denial; null where it failed of something else. */
  behindCall(execution: Execution, error: WireError): PhantomError | null {
    const denial = this.#behind(error) ?? this.#behindRequest(execution, error)
    if (denial === null) return null
    this.#tell(denial, execution)
    const { operation, plugin } = execution.call
    return toError(`Cannot finish "${operation}" of "${plugin.id}"`, denial)
  }

  /** The same for a start. */
  behindStart(error: WireError): PhantomError | null {
    const denial = this.#behind(error)
    if (denial === null) return null
    this.#tell(denial, null)
    return toError(`Cannot start "${this.#options.reach.pluginId}"`, denial)
  }

  /** A refused request comes back to the plugin as an answer or a broken connection, and fails it in its own words. */
  #behindRequest(execution: Execution, error: WireError): Denial | null {
    const denial = this.#atProxy.get(execution)
    if (denial === undefined || error.code !== RUNNER_ERRORS.fault) return null
    const { code } = (error.data?.details ?? {}) as { code?: unknown }
    const text = `${error.message} ${String(code)}`
    return FAILED_REQUEST.test(text) || text.includes(denial.details.resource.split(':')[0]!) ? denial : null
  }

  #behind(error: WireError): Denial | null {
    const failed = accessBehind(error, this.#options.reach.workspace)
    const { onObserved, redact } = this.#options
    if (failed === null) return null
    if (onObserved === null) return this.#denialOf(failed.access, failed.isNamed)
    onObserved(redacted(failed.access, redact))
    return null
  }

  #denialOf(claimed: Access, isNamed: boolean): Denial | null {
    const { reach, redact } = this.#options
    if (isGranted(claimed, reach)) return null
    // What is missing there is really missing.
    if (!isNamed && this.#isPrivate(claimed)) return null
    const denial = describeDenial(redacted(claimed, redact), reach)
    return !isNamed && denial.details.missing.length === 0 ? null : denial
  }

  #isPrivate(access: Access): boolean {
    if (access.kind !== 'fs_read' && access.kind !== 'fs_write') return false
    return isPrivate(access.path, this.#options.reach)
  }

  /** Before a sentence is made of it: a process repeats itself as it likes, and its manifest makes sentences long. */
  #isTold(access: Access, execution: Execution | null): boolean {
    const told = execution === null ? this.#toldBeside : this.#told.get(execution)
    if (told === undefined) return false
    return told.size >= MAX_DENIALS || told.has(accessKey(redacted(access, this.#options.redact)))
  }

  /** False when it was told already, or too much was. */
  #tell(denial: Denial, execution: Execution | null): boolean {
    const told = execution === null ? this.#toldBeside : (this.#told.get(execution) ?? new Set())
    if (execution !== null) this.#told.set(execution, told)
    if (told.has(denial.key) || told.size >= MAX_DENIALS) return false
    told.add(denial.key)
    this.#options.onDenied(denial, execution)
    return true
  }
}

function toError(what: string, { sentence, details }: Denial): PhantomError {
  return new PhantomError('PERMISSION_DENIED', `${what}: ${sentence}`, { details: { ...details } })
}

/** What a plugin reaches for is its own words: a path can be made of a secret. */
function redacted(access: Access, redact: (text: string) => string): Access {
  switch (access.kind) {
    case 'fs_read':
    case 'fs_write':
      return { ...access, path: redact(access.path) }
    case 'network':
      return { ...access, host: redact(access.host) }
    case 'process':
      return { ...access, program: redact(access.program) }
    default:
      return access
  }
}
