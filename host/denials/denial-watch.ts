import type { Execution } from '../execution/execution.ts'
import { PhantomError, type WireError } from '../../src/contract/phantom-error.ts'
import { contains } from '../sandbox/paths.ts'
import { accessBehind, readAccess, type Access } from './access.ts'
import { describeDenial, isGranted, type Denial, type Reach } from './denial.ts'

/** Different things that one call, or a process beside its calls, can be told of. */
const MAX_DENIALS = 32

export interface DenialWatchOptions {
  readonly reach: Reach
  /** Folders that the host's own do not show through: what is missing there is really missing. */
  readonly privateFolders: readonly string[]
  /** Takes secrets out of a text. */
  readonly redact: (text: string) => string
  /** Once for each call and thing. The call is null where it is not known which one, or none, was refused. */
  readonly onDenied: (denial: Denial, execution: Execution | null) => void
}

/**
 * What one process was refused. All that the process says of it is a claim: a denial is only what the host itself
 * knows to be outside of the grants, so none can be made up for what a plugin holds.
 */
export class DenialWatch {
  readonly #options: DenialWatchOptions
  readonly #told = new WeakMap<Execution, Set<string>>()
  readonly #toldBeside = new Set<string>()

  constructor(options: DenialWatchOptions) {
    this.#options = options
  }

  /** The runtime refused something; the plugin may have caught that. False for params that are not the contract's. */
  reported(params: unknown, execution: Execution | null): boolean {
    const { permission, resource } = (params ?? {}) as Record<string, unknown>
    if (typeof permission !== 'string' || typeof resource !== 'string') return false
    const access = readAccess(permission, resource, this.#options.reach.workspace)
    const denial = access === null ? null : this.#denialOf(access, true)
    if (denial !== null && this.#tell(denial, execution)) execution?.addWarning(denial.sentence)
    return true
  }

  /** The error of a call that failed of a denial; null where it failed of something else. */
  behindCall(execution: Execution, error: WireError): PhantomError | null {
    const denial = this.#behind(error)
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

  #behind(error: WireError): Denial | null {
    const failed = accessBehind(error, this.#options.reach.workspace)
    return failed === null ? null : this.#denialOf(failed.access, failed.isNamed)
  }

  #denialOf(claimed: Access, isNamed: boolean): Denial | null {
    const { reach, redact } = this.#options
    if (isGranted(claimed, reach)) return null
    if (!isNamed && this.#isPrivate(claimed)) return null
    const denial = describeDenial(redacted(claimed, redact), reach)
    return !isNamed && denial.details.missing.length === 0 ? null : denial
  }

  #isPrivate(access: Access): boolean {
    if (access.kind !== 'fs_read' && access.kind !== 'fs_write') return false
    const { reach, privateFolders } = this.#options
    return (
      !contains(reach.workspace, access.path) &&
      privateFolders.some((folder) => contains(folder, access.path))
    )
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
