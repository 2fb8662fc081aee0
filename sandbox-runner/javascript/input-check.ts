import { createRequire } from 'node:module'
import type { RunnerOperation } from '../../src/contract/runner-methods.ts'
import type { InputProblem } from '../loaded-plugin.ts'
import { describeInputError, type ValidationError } from './describe-input-error.ts'
import { VALIDATOR_RUNTIME } from './validator-runtime.ts'

/** What a generated module makes: ajv's own convention, errors hang on the function. */
interface Validate {
  (data: unknown): boolean
  errors?: readonly ValidationError[] | null
}

type ValidatorFactory = (runtime: typeof VALIDATOR_RUNTIME) => Validate

/** Loads the generated validator of an operation; null where it has no schema. */
export function createInputCheck(
  operation: RunnerOperation,
): ((input: unknown) => InputProblem | null) | null {
  const file = operation.input_validator
  if (file === null) return null
  const createValidator = createRequire(file)(file) as ValidatorFactory
  const validate = createValidator(VALIDATOR_RUNTIME)
  return (input) =>
    validate(input) ? null : describeInputError(validate.errors ?? [], input, operation.input_schema)
}
