import type { InputProblem } from '../../src/contract/input/describe-input-error.ts'

/** How the input of an operation is checked. */
export interface InputRule {
  /** A generated module, see `wrapValidator`. */
  readonly validator: string
  readonly schema: Readonly<Record<string, unknown>>
}

/** What passes between the daemon and the thread that checks an input. */
export type InputTask =
  | { readonly kind: 'warm_up' }
  | {
      readonly kind: 'check'
      readonly rule: InputRule
      readonly bytes: Uint8Array | null
      /** What no input of the daemon's is larger than, its defaults filled in. */
      readonly maxBytes: number
    }

export type InputOutcome =
  | { readonly kind: 'warm' }
  /** `text` is the input with the defaults of its schema; null where that has none. */
  | { readonly kind: 'fits'; readonly text: string | null }
  | { readonly kind: 'refused'; readonly problem: InputProblem }
