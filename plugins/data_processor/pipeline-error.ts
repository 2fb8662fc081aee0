const MAX_SHOWN_CHARS = 60

/** What is wrong with the input, and where: the caller's to mend. */
export class PipelineError extends Error {
  override readonly name = 'PipelineError'
}

/** What is wrong with the data, said by code that does not know its step; the pipeline adds where. */
export class DataProblem extends Error {
  override readonly name = 'DataProblem'
}

/** A value for an error message: its kind, and the value itself where it is short enough to be read. */
export function describeValue(value: unknown): string {
  if (value === null) return 'null'
  if (value === undefined) return 'absent'
  if (Array.isArray(value)) return `an array of ${value.length}`
  if (typeof value === 'object') return 'an object'
  if (typeof value === 'string') return `the string ${quote(value)}`
  return `the ${typeof value} ${value as number | boolean | bigint}`
}

/** In double quotes, shortened, with control characters escaped. */
export function quote(text: string): string {
  return JSON.stringify(text.length > MAX_SHOWN_CHARS ? `${text.slice(0, MAX_SHOWN_CHARS)}…` : text)
}
