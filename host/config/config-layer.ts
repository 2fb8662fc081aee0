import { Ajv, type ValidateFunction } from 'ajv'
import { type ConfigProblem, toProblem } from './config-problem.ts'
import { toLayerSchema } from './config-schema.ts'

export const MAX_SHOWN_PROBLEMS = 20

/** One checked place of configuration: sections with some of their keys, and where each stands. */
export interface ConfigLayer {
  readonly sections: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  /** `plugins.directory` → `config/default.yaml:3:14`. */
  readonly origins: ReadonlyMap<string, string>
  readonly warnings: readonly string[]
}

let validateLayer: ValidateFunction | null = null

/** What is wrong in sections as somebody wrote them; nothing at all is a layer, too. */
export function layerProblems(data: unknown): ConfigProblem[] {
  if (data === null || data === undefined) return []
  validateLayer ??= new Ajv({ allErrors: true, allowUnionTypes: true }).compile(toLayerSchema())
  validateLayer(data)
  return (validateLayer.errors ?? []).slice(0, MAX_SHOWN_PROBLEMS).map((error) => toProblem(error, data))
}
