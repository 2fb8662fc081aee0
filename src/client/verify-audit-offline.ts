import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { AuditVerification } from '../contract/audit.ts'
import { messageOf, PhantomError } from '../contract/phantom-error.ts'
import { daemonMain } from './daemon-command.ts'
import { provideRuntimeQuietly } from './provide-runtime.ts'

const MAX_ANSWER_BYTES = 4 * 1024 * 1024

/**
 * Reads the audit log of a state folder on which no daemon runs, and changes nothing in it. By the daemon's own
 * program: the client may run on a Node that reads no SQLite.
 *
 * @throws PhantomError CONFIG_INVALID, RUNTIME_NOT_FOUND
 */
export async function verifyAuditOffline(stateDirectory: string): Promise<AuditVerification> {
  const { path } = await provideRuntimeQuietly()
  try {
    const { stdout } = await promisify(execFile)(
      path,
      [daemonMain(), '--verify-audit', '--state', stateDirectory],
      { maxBuffer: MAX_ANSWER_BYTES },
    )
    return JSON.parse(stdout) as AuditVerification
  } catch (error) {
    const { stderr = '' } = error as { stderr?: string }
    const why = stderr.trim() === '' ? messageOf(error) : stderr.trim()
    throw new PhantomError('CONFIG_INVALID', `Cannot verify the audit log of "${stateDirectory}": ${why}`, {
      cause: error,
    })
  }
}
