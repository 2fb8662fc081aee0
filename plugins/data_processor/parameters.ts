import { suggestName } from './nearest-name.ts'
import { describeValue, PipelineError, quote } from './pipeline-error.ts'

export type Scalar = string | number | boolean | null

/** Reads one step's parameters; every refusal names the step, the parameter, what was found and what is needed. */
export class Parameters {
  readonly #values: Readonly<Record<string, unknown>>
  readonly #path: string
  readonly #operation: string

  constructor(values: Readonly<Record<string, unknown>>, path: string, operation: string) {
    this.#values = values
    this.#path = path
    this.#operation = operation
  }

  refuseOthers(known: readonly string[]): void {
    for (const name of Object.keys(this.#values)) {
      if (known.includes(name)) continue
      throw new PipelineError(
        `Cannot read ${this.#path} ${quote(name)}: ${this.#operation} has no such parameter. ${suggestName(name, known)}`,
      )
    }
  }

  fieldName(name: string): string {
    const value = this.#get(name)
    return typeof value === 'string' ? value : this.refuse(name, 'the name of a field, a string')
  }

  optionalFieldName(name: string): string | undefined {
    return this.#get(name) === undefined ? undefined : this.fieldName(name)
  }

  optionalNumber(name: string): number | undefined {
    const value = this.#get(name)
    if (value === undefined) return undefined
    return Number.isFinite(value)
      ? (value as number)
      : this.refuse(name, 'a finite number; leave it out for no bound')
  }

  scalar(name: string): Scalar {
    const value = this.#get(name)
    return isScalar(value) ? value : this.refuse(name, 'a string, a finite number, a boolean or null')
  }

  scalars(name: string): Scalar[] {
    const values = this.#get(name)
    if (!Array.isArray(values)) return this.refuse(name, 'an array of strings, numbers, booleans or null')
    return values.map((value: unknown, index) => {
      if (isScalar(value)) return value
      throw this.#problem(`${name}[${index}]`, value, 'a string, a finite number, a boolean or null')
    })
  }

  oneOf<Choice extends string>(name: string, choices: readonly Choice[], fallback: Choice): Choice {
    const value = this.#get(name)
    if (value === undefined) return fallback
    if (choices.includes(value as Choice)) return value as Choice
    if (typeof value !== 'string') return this.refuse(name, `one of ${choices.map(quote).join(', ')}`)
    throw new PipelineError(
      `Cannot read ${this.#path}.${name} ${quote(value)}: ${this.#operation} has no such ${name}. ${suggestName(value, choices)}`,
    )
  }

  refuse(name: string, needed: string): never {
    throw this.#problem(name, this.#get(name), needed)
  }

  #problem(name: string, found: unknown, needed: string): PipelineError {
    return new PipelineError(
      `Cannot read ${this.#path}.${name}: it is ${describeValue(found)}. ${this.#operation} needs ${needed}`,
    )
  }

  #get(name: string): unknown {
    return Object.hasOwn(this.#values, name) ? this.#values[name] : undefined
  }
}

function isScalar(value: unknown): value is Scalar {
  return value === null || ['string', 'boolean'].includes(typeof value) || Number.isFinite(value)
}
