import path from 'node:path'
import type { Command } from 'commander'
import type { AuditVerification } from '../contract/audit.ts'
import { CLI_EXIT_CODES } from '../contract/exit-codes.ts'
import { stateDirectoryOf } from '../rpc/endpoint.ts'
import { commonOptions, type CommonOptions } from './common-options.ts'
import { examples } from './help-examples.ts'
import { attachIfRunning, attachSystem } from './open-system.ts'
import { paint, printJson, printLines } from './output.ts'
import { printableLine } from './printable.ts'

export function defineAuditVerify(audit: Command): void {
  audit
    .command('verify')
    .description('read the whole audit log and say which lines were changed, removed or cut off')
    .option('--state <dir>', 'a state folder without a daemon, such as a copy')
    .addHelpText(
      'after',
      examples('phantom audit verify', 'phantom audit verify --state /backup/.phantom/plugins'),
    )
    .action(async (own: { state?: string }, command: Command) => {
      const options = commonOptions(command)
      const found = await verify(options, own.state)
      if (options.json) printJson(found)
      else printLines(formatVerification(found))
      if (!found.ok) process.exitCode = CLI_EXIT_CODES.plugin_failed
    })
}

/** By the daemon where one runs: it alone knows what it wrote last. Nothing is started that would write. */
async function verify(options: CommonOptions, state: string | undefined): Promise<AuditVerification> {
  if (options.socket !== undefined) {
    await using system = await attachSystem(options)
    return await system.api.verify_audit_log()
  }
  const folder = path.resolve(state ?? stateDirectoryOf(options.plugins))
  await using running = await attachIfRunning(options, folder)
  if (running !== null) return await running.api.verify_audit_log()
  const { verifyAuditOffline } = await import('../client/verify-audit-offline.ts')
  return await verifyAuditOffline(folder)
}

export function formatVerification(found: AuditVerification): string[] {
  const { ok, records, first_sequence: first, last_sequence: last, checkpoints, files } = found
  const range = first === null ? 'no records' : `records ${first} to ${String(last)} (${records})`
  const seen = `${range} in ${files.length} ${files.length === 1 ? 'file' : 'files'}, ${checkpoints} checkpoints`
  const verdict = ok ? paint('green', 'whole') : paint('red', 'not whole')
  return [
    `${verdict}  ${seen}`,
    ...found.problems.map(({ kind, file, line, message }) =>
      printableLine(`  ${file}:${line}  ${kind}: ${message}`),
    ),
    ...found.notes.map((note) => printableLine(`  note: ${note}`)),
    ...(found.last_hash === null ? [] : [`last hash  ${String(last)}:${printableLine(found.last_hash)}`]),
  ]
}
