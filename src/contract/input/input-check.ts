import { describeInputError, type InputProblem, type ValidationError } from './describe-input-error.ts'
import { VALIDATOR_RUNTIME } from './validator-runtime.ts'

/** What a generated module makes: ajv's own convention, errors hang on the function. */
interface Validate {
  (data: unknown): boolean
  errors?: readonly ValidationError[] | null
}

/** What a generated module exports. */
export type ValidatorFactory = (runtime: typeof VALIDATOR_RUNTIME) => Validate

/** Null where the input fits; defaults of the schema are filled into it then. */
export type InputCheck = (input: unknown) => InputProblem | null

export function makeInputCheck(
  factory: ValidatorFactory,
  schema: Readonly<Record<string, unknown>> | null,
): InputCheck {
  const validate = factory(VALIDATOR_RUNTIME)
  return (input) => (validate(input) ? null : describeInputError(validate.errors ?? [], input, schema))
}

/** An input that is no JSON, or none that is taken. */
export function unreadableInput(words: string): InputProblem {
  return { message: `input: ${words}`, details: { path: 'input', keyword: 'json' } }
}
