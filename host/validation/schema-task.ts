import type { ValueProblem } from './value-problems.ts'

/** What passes between the compiler and its worker thread. Schemas travel as JSON text: it is what gets hashed. */
export type SchemaTask =
  | { readonly kind: 'warm_up' }
  | { readonly kind: 'compile_input'; readonly schemaJson: string }
  | { readonly kind: 'config_defaults'; readonly schemaJson: string }
  | { readonly kind: 'check_config'; readonly schemaJson: string; readonly valueJson: string }

export type SchemaOutcome =
  | { readonly kind: 'warm' }
  /** Source of a CommonJS module, see `wrapValidator`. */
  | { readonly kind: 'module'; readonly source: string }
  | { readonly kind: 'defaults'; readonly json: string }
  /** The value with its defaults filled in, also where it does not fit. */
  | { readonly kind: 'config_checked'; readonly json: string; readonly problems: readonly ValueProblem[] }
  /** The schema itself is wrong. */
  | { readonly kind: 'schema_refused'; readonly reason: string }
  /** The schema is fine; an empty configuration with its defaults does not fit it. */
  | { readonly kind: 'defaults_refused'; readonly reason: string; readonly fields: readonly string[] }
