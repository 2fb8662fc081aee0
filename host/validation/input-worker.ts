/**
 * Runs in a worker thread of the daemon, which ends it when it takes too long: the schema is its plugin's author's, the
 * input anybody's, and together they can take for ever. The same words as those of the runner.
 */
import { createRequire } from 'node:module'
import {
  makeInputCheck,
  unreadableInput,
  type InputCheck,
  type ValidatorFactory,
} from '../../src/contract/input/input-check.ts'
import { messageOf } from '../../src/contract/phantom-error.ts'
import { parseHostileJson } from '../../src/rpc/hostile-json.ts'
import type { InputOutcome, InputRule, InputTask } from './input-task.ts'

const MAX_KEPT = 200

interface Known {
  readonly check: InputCheck
  readonly hasDefaults: boolean
}

const kept = new Map<string, Known>()
const require = createRequire(import.meta.url)

export default function runInputTask(task: InputTask): InputOutcome {
  if (task.kind === 'warm_up') return { kind: 'warm' }
  const { check, hasDefaults } = knownOf(task.rule)
  let value: unknown
  try {
    value = task.bytes === null ? null : parseHostileJson(new TextDecoder().decode(task.bytes))
  } catch (error) {
    return { kind: 'refused', problem: unreadableInput(messageOf(error)) }
  }
  const problem = check(value)
  if (problem !== null) return { kind: 'refused', problem }
  return { kind: 'fits', text: hasDefaults ? JSON.stringify(value) : null }
}

function knownOf({ validator, schema }: InputRule): Known {
  const known = kept.get(validator)
  if (known !== undefined) return known
  const check = makeInputCheck(require(validator) as ValidatorFactory, schema)
  // A property of that name only costs the writing of an input.
  const made = { check, hasDefaults: JSON.stringify(schema).includes('"default"') }
  if (kept.size === MAX_KEPT) kept.clear()
  kept.set(validator, made)
  return made
}
