import type { AuditLog } from '../audit/audit-log.ts'
import type { PluginLogLine } from '../../src/contract/execution.ts'
import type { Execution } from '../execution/execution.ts'
import type { InstanceLane } from '../execution/instance-lane.ts'
import { TokenBucket } from '../supervisor/token-bucket.ts'
import type { Denial } from './denial.ts'

/** Lines of a plugin's log that it can write by being refused. The audit log counts what would flood it by itself. */
const BURST = 50
const INTERVAL_MS = 1000

export interface DenialDeskOptions {
  readonly record: AuditLog['record']
  readonly onLog: (line: PluginLogLine) => void
}

/** Where every denial goes: figures, the audit log, the plugin's log. */
export class DenialDesk {
  readonly #options: DenialDeskOptions
  readonly #budgets = new WeakMap<InstanceLane['plugin']['metrics'], TokenBucket>()

  constructor(options: DenialDeskOptions) {
    this.#options = options
  }

  denied({ plugin, workspace }: InstanceLane, denial: Denial, execution: Execution | null): void {
    plugin.metrics.onDenied(denial.kind)
    const operation = execution?.call.operation ?? null
    const executionId = execution?.executionId ?? null
    this.#options.record({
      action: 'call.denied',
      plugin_id: plugin.id,
      outcome: 'refused',
      actor: null,
      details: { ...denial.details, operation, execution_id: executionId, workspace },
    })
    if (this.#budgetOf(plugin).take(performance.now()) > 0) return
    this.#options.onLog({
      time: new Date().toISOString(),
      plugin_id: plugin.id,
      level: 'warn',
      source: 'host',
      execution_id: executionId,
      message: denial.sentence,
    })
  }

  #budgetOf({ metrics }: InstanceLane['plugin']): TokenBucket {
    const known = this.#budgets.get(metrics)
    if (known !== undefined) return known
    const budget = new TokenBucket({ burst: BURST, intervalMs: INTERVAL_MS })
    this.#budgets.set(metrics, budget)
    return budget
  }
}
