const MAX_REPORT_CHARS = 64 * 1024
const MAX_REPORT_DEPTH = 32

/** What a plugin says of itself once it runs. */
export interface Reported {
  readonly metadata: unknown
  readonly capabilities: unknown
}

/** Of an answer to `initialize`, by a process that may be hostile. */
export function reportedIn(result: unknown): Reported {
  const { metadata, capabilities } = Object(result) as Record<string, unknown>
  return { metadata: boundedReport(metadata), capabilities: boundedReport(capabilities) }
}

/**
 * What a plugin says of itself (`metadata`, `capabilities`, `health`) travels inside our own answers, so it must be
 * small and shallow, whatever its runner let through. Null for what is not.
 */
export function boundedReport(report: unknown): unknown {
  if (report === undefined || JSON.stringify(report).length > MAX_REPORT_CHARS) return null
  return depthOf(report) > MAX_REPORT_DEPTH ? null : report
}

/** The wire has capped it already, so this cannot overflow. */
function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  return 1 + Math.max(0, ...Object.values(value).map(depthOf))
}
