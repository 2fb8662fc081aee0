import { setImmediate } from 'node:timers/promises'
import { Frame, type Row } from './frame.ts'
import type { Analysis, Outcome } from './operation.ts'
import { parsePipeline, type PreparedStep } from './parse-pipeline.ts'
import { DataProblem, PipelineError } from './pipeline-error.ts'

export interface PipelineHooks {
  readonly signal?: AbortSignal
  progress?(fraction: number, message: string): void
  warn?(message: string): void
}

export interface PipelineResult {
  readonly data: readonly Row[]
  readonly row_count: number
  readonly steps: readonly StepReport[]
  /** One entry for each Analyze step, in order. */
  readonly analysis: readonly (Analysis & { readonly step: number })[]
}

interface StepReport {
  readonly operation_type: string
  readonly operation_name: string
  readonly rows_in: number
  readonly rows_out: number
  /** Absent where there is nothing to say. */
  readonly warnings?: readonly string[]
}

/** Runs every step over the rows. The input stays as it is; rows that no step changed are shared with it. */
export async function runPipeline(input: unknown, hooks: PipelineHooks = {}): Promise<PipelineResult> {
  const { rows, steps } = parsePipeline(input)
  const reports: StepReport[] = []
  const analysis: (Analysis & { step: number })[] = []
  let frame = Frame.of(rows)
  for (const [index, step] of steps.entries()) {
    await takeTurn(hooks.signal)
    const rowsIn = frame.rowCount
    const outcome = runStep(step, frame)
    frame = outcome.frame
    if (outcome.analysis !== undefined) analysis.push({ step: index, ...outcome.analysis })
    for (const warning of outcome.warnings ?? []) hooks.warn?.(`${step.title}: ${warning}`)
    reports.push(reportOf(step, rowsIn, outcome))
    hooks.progress?.((index + 1) / steps.length, `${step.title}: ${rowsIn} rows in, ${frame.rowCount} out`)
  }
  await takeTurn(hooks.signal)
  return { data: frame.toRows(), row_count: frame.rowCount, steps: reports, analysis }
}

/** A step holds the thread: without a turn of the event loop in between, no cancellation could arrive. */
async function takeTurn(signal: AbortSignal | undefined): Promise<void> {
  await setImmediate()
  signal?.throwIfAborted()
}

function runStep(step: PreparedStep, frame: Frame): Outcome {
  try {
    return step.run(frame)
  } catch (error) {
    if (!(error instanceof DataProblem)) throw error
    throw new PipelineError(`Cannot run ${step.title}: ${error.message}`, { cause: error })
  }
}

function reportOf(step: PreparedStep, rowsIn: number, outcome: Outcome): StepReport {
  return {
    operation_type: step.operationType,
    operation_name: step.operationName,
    rows_in: rowsIn,
    rows_out: outcome.frame.rowCount,
    ...(outcome.warnings?.length ? { warnings: outcome.warnings } : {}),
  }
}
