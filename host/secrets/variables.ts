import { messageOf } from '../../src/contract/phantom-error.ts'
import type { Redactor } from './redactor.ts'
import { isRedactable, isSecretName } from './secret-forms.ts'
import { SecretsFile } from './secrets-file.ts'

export interface VariablesOptions {
  readonly environment: NodeJS.ProcessEnv
  /** Absolute; null where there is none. */
  readonly secretsFile: string | null
  readonly uid: number
  readonly redactor: Redactor
  readonly onWarning: (warning: string, fields: Record<string, unknown>) => void
}

/** Where the values of `env:NAME` come from: the secrets file, and what it does not name from the environment. */
export class Variables {
  readonly secretsFile: string | null
  readonly #options: VariablesOptions
  readonly #file: SecretsFile | null

  constructor(options: VariablesOptions) {
    this.#options = options
    this.secretsFile = options.secretsFile
    const { secretsFile: path, uid } = options
    this.#file =
      path === null ? null : new SecretsFile({ path, uid, onRead: (values) => this.#wasRead(values) })
  }

  /** @throws PhantomError CONFIG_INVALID where the secrets file is of no use */
  read(): NodeJS.ProcessEnv {
    if (this.#file === null) return this.#options.environment
    return { ...this.#options.environment, ...Object.fromEntries(this.#file.read()) }
  }

  /** To describe what would be granted: a secrets file of no use grants nothing. */
  describe(): NodeJS.ProcessEnv {
    try {
      return this.read()
    } catch (error) {
      this.#options.onWarning('the secrets file is not used', { error: messageOf(error) })
      return this.#options.environment
    }
  }

  /** A plugin gets these: from now on they are taken out of whatever is said. */
  granted(pluginId: string, values: Readonly<Record<string, string>>): void {
    const secrets = Object.entries(values).filter(([name]) => isSecretName(name))
    this.#options.redactor.hold(
      `variables ${pluginId}`,
      secrets.map(([, value]) => value),
    )
  }

  #wasRead(values: ReadonlyMap<string, string>): void {
    const { redactor, onWarning } = this.#options
    redactor.hold('secrets file', values.values())
    const shown = [...values]
      .filter(([, value]) => value !== '' && !isRedactable(value))
      .map(([name]) => name)
    if (shown.length > 0)
      onWarning('secrets that are too short or too common can not be taken out of texts', { names: shown })
  }
}
