import { fstatSync, writeSync } from 'node:fs'
import { toWireError } from '../../src/contract/phantom-error.ts'

const REPORT_FD = 3

/**
 * Tells whoever started a private daemon how its start went: one JSON line on fd 3, `{"socket": …}` or
 * `{"error": …}`. A daemon that was started by hand has no pipe there and tells nobody.
 */
export function reportStart(report: { socket: string } | { failure: unknown }): void {
  const line = 'failure' in report ? { error: toWireError(report.failure) } : report
  try {
    if (fstatSync(REPORT_FD).isFIFO() || fstatSync(REPORT_FD).isSocket()) {
      writeSync(REPORT_FD, `${JSON.stringify(line)}\n`)
    }
  } catch {
    // EBADF, EPIPE: there is nobody who waits for it.
  }
}
