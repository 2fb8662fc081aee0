import { messageOf } from '../../src/contract/phantom-error.ts'
import { AuditLog } from '../audit/audit-log.ts'
import { createDaemonLog, type DaemonLog, type OpenDaemonLog } from '../observe/daemon-log.ts'
import { PluginLogs } from '../observe/plugin-log.ts'
import type { CoreOptions } from './daemon-core.ts'

const MEGABYTE = 1024 * 1024

export function openLog(options: CoreOptions, redact: (text: string) => string): OpenDaemonLog {
  return createDaemonLog({
    stateDirectory: options.stateDirectory,
    level: options.configSource.current.config.log.level,
    isPrivate: options.isPrivate,
    journalStream: process.env['JOURNAL_STREAM'],
    redact,
  })
}

export function openAudit(
  { stateDirectory, store, configSource }: CoreOptions,
  log: DaemonLog,
  redact: (text: string) => string,
): AuditLog {
  const { maxFileMb, maxFiles } = configSource.current.config.audit
  return new AuditLog({
    stateDirectory,
    checkpoints: store.auditCheckpoints,
    maxFileBytes: maxFileMb * MEGABYTE,
    maxFiles,
    redact,
    now: () => Date.now(),
    onError: (error) =>
      log.error('the audit log cannot be written: administrative acts are refused', {
        error: messageOf(error),
      }),
  })
}

export function openPluginLogs(stateDirectory: string, log: DaemonLog): PluginLogs {
  return new PluginLogs({
    stateDirectory,
    clock: { now: () => Date.now(), after: afterDelay },
    onError: (pluginId, error) =>
      log.error('a plugin log cannot be written', { plugin_id: pluginId, error: messageOf(error) }),
  })
}

function afterDelay(delayMs: number, run: () => void): () => void {
  const timer = setTimeout(run, delayMs)
  timer.unref()
  return () => clearTimeout(timer)
}
