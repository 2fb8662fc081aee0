import type { HostConfig } from '../config/config-schema.ts'
import type { DaemonLog } from '../observe/daemon-log.ts'
import type { Redactor } from './redactor.ts'
import { Variables } from './variables.ts'

/**
 * What `env:NAME` gives, by the daemon's configuration.
 *
 * @throws PhantomError CONFIG_INVALID: a daemon does not begin with secrets that are open to others
 */
export function openVariables(
  { secretsFile }: HostConfig['security'],
  redactor: Redactor,
  log: DaemonLog,
): Variables {
  const variables = new Variables({
    environment: process.env,
    secretsFile: secretsFile === '' ? null : secretsFile,
    uid: process.getuid?.() ?? -1,
    redactor,
    onWarning: (warning, fields) => log.warn(warning, fields),
  })
  variables.read()
  return variables
}
