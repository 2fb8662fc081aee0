import { messageOf } from '../../src/contract/phantom-error.ts'
import { PluginRights } from '../approvals/plugin-rights.ts'
import type { AuditLog } from '../audit/audit-log.ts'
import { PolicySource } from '../config/policy/policy-source.ts'
import type { DaemonLog } from '../observe/daemon-log.ts'
import type { CoreOptions } from './daemon-core.ts'

interface RightsPowers {
  readonly log: DaemonLog
  readonly record: AuditLog['record']
  /** Plugins shall hold what the policy says now. */
  readonly onPolicyChanged: () => Promise<void>
}

/** The administrator's policy, and the rights that it and the approvals leave to plugins. */
export function openRights(
  { configDirectory, configSource, store, environment }: CoreOptions,
  { log, record, onPolicyChanged }: RightsPowers,
): { policy: PolicySource; rights: PluginRights } {
  const refused = (reason: string): void =>
    record({
      action: 'policy.refused',
      plugin_id: null,
      outcome: 'refused',
      actor: null,
      details: { reason },
    })
  const failed = (error: unknown): void =>
    log.error("the administrator's policy is not taken, the one before holds", { error: messageOf(error) })
  const policy = new PolicySource({
    configDirectory,
    reload: () => configSource.current.config.reload,
    onError: (error) => {
      failed(error)
      refused(messageOf(error))
    },
    onChange: () => {
      log.info("the administrator's policy was read anew")
      record({ action: 'policy.changed', plugin_id: null, outcome: 'done', actor: null, details: {} })
      onPolicyChanged().catch(failed)
    },
  })
  if (policy.fault !== null) {
    log.error(policy.fault)
    refused(policy.fault)
  }
  const policyOf = ({ id }: { readonly id: string }, author: string | null) => ({
    rules: policy.rulesFor({ id, author }),
    fault: policy.fault,
  })
  return { policy, rights: new PluginRights({ table: store.approvals, environment, policyOf, log, record }) }
}
