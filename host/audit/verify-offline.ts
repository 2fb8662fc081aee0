import { existsSync, statSync } from 'node:fs'
import type { AuditVerification } from '../../src/contract/audit.ts'
import { PhantomError } from '../../src/contract/phantom-error.ts'
import { readCheckpoints } from '../store/read-checkpoints.ts'
import { openSnapshot, verifyAudit } from './verify-audit.ts'

/**
 * Verifies the audit log of a state folder on which no daemon runs, and changes nothing in it.
 *
 * @throws PhantomError CONFIG_INVALID where there is no such folder
 */
export async function verifyOffline(stateDirectory: string): Promise<AuditVerification> {
  if (!existsSync(stateDirectory) || !statSync(stateDirectory).isDirectory()) {
    throw new PhantomError(
      'CONFIG_INVALID',
      `Cannot find the state folder "${stateDirectory}": there is no such folder. Name the one that has audit.jsonl`,
    )
  }
  return await verifyAudit(openSnapshot(stateDirectory, readCheckpoints(stateDirectory)), null)
}
