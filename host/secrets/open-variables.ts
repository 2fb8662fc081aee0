import { PhantomError } from '../../src/contract/phantom-error.ts'
import type { DaemonLog } from '../observe/daemon-log.ts'
import { canonicalPath, contains } from '../sandbox/paths.ts'
import type { Redactor } from './redactor.ts'
import { Variables } from './variables.ts'

/**
 * What `env:NAME` gives, by the daemon's configuration.
 *
 * @throws PhantomError CONFIG_INVALID: a daemon does not begin with secrets that are open to others
 */
export function openVariables(
  { secretsFile, pluginDirectory }: { secretsFile: string; pluginDirectory: string },
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
  // Behind it the file is there, and no link.
  variables.read()
  if (secretsFile !== '' && contains(pluginDirectory, canonicalPath(secretsFile).path)) {
    throw new PhantomError(
      'CONFIG_INVALID',
      `Cannot use the secrets file "${secretsFile}": it lies in the plugin directory, where plugins see it. Keep it elsewhere`,
      { details: { file: secretsFile } },
    )
  }
  return variables
}
