import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { messageOf, PhantomError } from '../../../src/contract/phantom-error.ts'
import type { AdminRule } from '../../approvals/admin-rules.ts'
import { FileFollower } from '../file-follower.ts'
import { NO_POLICY, readPolicy, type AdminPolicy } from './read-policy.ts'

export interface PolicySourceOptions {
  /** The user's folder of configuration; null where there is none, and then no policy. */
  readonly configDirectory: string | null
  /** Whether a changed file acts by itself. */
  readonly reload: () => { readonly watch: boolean; readonly debounceMs: number }
  /** Gets what a changed file throws: what held before goes on to hold. */
  readonly onError: (error: unknown) => void
  /** Another policy holds. */
  readonly onChange: () => void
  readonly pollIntervalMs?: number
}

const POLICY_FILE = 'policy.yaml'

/**
 * The administrator's policy in force. It fails closed: a file that can't be used changes nothing while the daemon
 * runs, and at its start lets nothing run but what comes with the package.
 */
export class PolicySource {
  readonly #options: PolicySourceOptions
  readonly #file: string | null
  readonly #follower: FileFollower
  #policy: AdminPolicy = NO_POLICY
  #fault: string | null = null
  #notTaken: string | null = null
  #wasThere = false

  constructor(options: PolicySourceOptions) {
    this.#options = options
    const { configDirectory } = options
    this.#file = configDirectory === null ? null : join(configDirectory, POLICY_FILE)
    this.#follower = new FileFollower({
      debounceMs: () => options.reload().debounceMs,
      onChanged: () => this.#reloadUnasked(),
    })
    try {
      this.#take()
    } catch (error) {
      this.#fault = `the administrator's policy can't be used, and until it can nothing runs but built-in plugins: ${messageOf(error)}`
    }
  }

  /** Why no policy can be told; null where one holds. */
  get fault(): string | null {
    return this.#fault
  }

  /** Why the file as it stands now does not hold; null where it does. */
  get problem(): string | null {
    return this.#fault ?? this.#notTaken
  }

  /** What it says of one plugin: everywhere first. */
  rulesFor(plugin: { readonly id: string; readonly author: string | null }): AdminRule[] {
    const { everywhere, publishers, plugins } = this.#policy
    const byAuthor = plugin.author === null ? undefined : publishers.get(plugin.author)
    return [everywhere, byAuthor, plugins.get(plugin.id)].flatMap((rule) => rule ?? [])
  }

  /** @throws PhantomError CONFIG_INVALID, and what held before goes on to hold */
  reload(): void {
    const before = { policy: this.#policy, fault: this.#fault }
    try {
      this.#take()
      this.#notTaken = null
    } catch (error) {
      this.#notTaken = messageOf(error)
      throw error
    }
    if (!isDeepStrictEqual(before, { policy: this.#policy, fault: this.#fault })) this.#options.onChange()
  }

  /** Begins or ends to look at the file, as the daemon's configuration says. */
  follow(): void {
    const files = this.#file !== null && this.#options.reload().watch ? [this.#file] : []
    this.#follower.follow(files, this.#options.pollIntervalMs)
  }

  close(): void {
    this.#follower.follow([])
  }

  #take(): void {
    if (this.#file === null) return
    const wasThere = this.#wasThere
    this.#wasThere = true
    const policy = readPolicy(this.#file)
    // A save may take it away for a moment, and an absent policy allows more than any other.
    if (policy === null && wasThere) throw gone(this.#file)
    this.#wasThere = policy !== null
    this.#policy = policy ?? NO_POLICY
    this.#fault = null
  }

  #reloadUnasked(): void {
    try {
      this.reload()
    } catch (error) {
      this.#options.onError(error)
    }
  }
}

function gone(file: string): PhantomError {
  return new PhantomError(
    'CONFIG_INVALID',
    `Cannot use the configuration "${file}": it is gone. Put it back, or an empty file, which takes nothing away; ` +
      'until then, or until the daemon starts anew, its rules hold',
    { details: { file } },
  )
}
