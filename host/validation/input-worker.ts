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
import type { InputProblem } from '../../src/contract/input/describe-input-error.ts'
import { messageOf } from '../../src/contract/phantom-error.ts'
import { parseHostileJson } from '../../src/rpc/hostile-json.ts'
import type { InputOutcome, InputRule, InputTask } from './input-task.ts'

const MAX_KEPT = 200
/** What defaults may add to one input: each empty object of a caller's gets them all, and the daemon holds the result. */
const MAX_DEFAULTS_BYTES = 16 * 1024 * 1024

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
  if (!hasDefaults) return { kind: 'fits', text: null }
  const text = JSON.stringify(value)
  const bytes = Buffer.byteLength(text)
  const most = Math.min(task.maxBytes, (task.bytes?.length ?? 0) + MAX_DEFAULTS_BYTES)
  return bytes > most ? { kind: 'refused', problem: grownInput(bytes, most) } : { kind: 'fits', text }
}

function grownInput(bytes: number, most: number): InputProblem {
  const message = `input: with the defaults of its schema it has ${bytes} bytes, at most ${most} are allowed`
  return { message, details: { path: 'input', keyword: 'default' } }
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
