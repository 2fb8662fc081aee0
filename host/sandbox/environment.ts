import { isLoaderVariable } from '../../src/contract/permission.ts'

const WITH_FILE =
  'set neither in the secrets file nor where the daemon runs. Add it to that file (security.secrets_file), then reload the plugin'
const WITHOUT_FILE =
  'not set where the daemon runs. Set it there and restart the daemon, or put it into a secrets file (security.secrets_file)'
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/

export interface EnvironmentGrant {
  readonly granted: Readonly<Record<string, string>>
  /** One sentence for every name that was not granted. */
  readonly problems: readonly string[]
}

/** Values that are there are granted; an empty value is one, an absent one is a problem to tell of. */
export function resolveEnvironment(
  names: readonly string[],
  environment: NodeJS.ProcessEnv,
  hasSecretsFile: boolean,
): EnvironmentGrant {
  const granted: Record<string, string> = {}
  const problems: string[] = []
  for (const name of names) {
    const value = environment[name]
    if (!NAME.test(name)) problems.push(`"${name}" is not the name of a variable. Spell each one out`)
    else if (isLoaderVariable(name))
      problems.push(`${name} steers the runtime itself and is granted to nobody`)
    else if (value === undefined) problems.push(`${name} is ${hasSecretsFile ? WITH_FILE : WITHOUT_FILE}`)
    else granted[name] = value
  }
  return { granted, problems }
}
