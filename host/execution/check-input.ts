import { PhantomError } from '../../src/contract/phantom-error.ts'
import type { Generation } from '../generations/generation.ts'
import type { InputChecker } from '../validation/input-checker.ts'
import type { InputRule } from '../validation/input-task.ts'
import type { Execution } from './execution.ts'

/** Has an input checked by that generation's rule; where it does not fit, the call has its answer. Never rejects. */
export async function checkInput(
  checker: InputChecker,
  execution: Execution,
  { rule, generation }: { readonly rule: InputRule; readonly generation: Generation },
): Promise<void> {
  const { plugin, operation } = execution.call
  try {
    const checked = await checker.check(plugin.id, rule, execution.input)
    if (execution.isSettled) return
    if (checked.problem === null) {
      execution.input = checked.input
      execution.checkedBy = generation
      return
    }
    const { message, details } = checked.problem
    const error = new PhantomError(
      'INPUT_INVALID',
      `Cannot run "${operation}" of "${plugin.id}": ${message}`,
      {
        details,
      },
    )
    execution.settle({ kind: 'rejected', error })
  } catch (error) {
    execution.settle({ kind: 'rejected', error })
  }
}
