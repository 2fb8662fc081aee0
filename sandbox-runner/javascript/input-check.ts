import { createRequire } from 'node:module'
import {
  makeInputCheck,
  type InputCheck,
  type ValidatorFactory,
} from '../../src/contract/input/input-check.ts'
import type { RunnerOperation } from '../../src/contract/runner-methods.ts'

/** Loads the generated validator of an operation; null where it has no schema. */
export function createInputCheck({
  input_validator: file,
  input_schema: schema,
}: RunnerOperation): InputCheck | null {
  if (file === null) return null
  return makeInputCheck(createRequire(file)(file) as ValidatorFactory, schema)
}
