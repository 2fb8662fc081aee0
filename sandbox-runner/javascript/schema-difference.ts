const MAX_SHOWN_CHARS = 80

export interface SchemaDifference {
  /** `input_schema.properties.age.minimum` */
  readonly path: string
  readonly left: string
  readonly right: string
}

/** The first place where two schemas differ as JSON; the order of keys does not count. Null when they are equal. */
export function findDifference(left: unknown, right: unknown): SchemaDifference | null {
  // Through text, so that undefined members and other things that are no JSON do not count either.
  return compare(left, JSON.parse(JSON.stringify(right)), 'input_schema')
}

function compare(left: unknown, right: unknown, path: string): SchemaDifference | null {
  if (Object.is(left, right) || left === right) return null
  if (!isContainer(left) || !isContainer(right) || Array.isArray(left) !== Array.isArray(right)) {
    return { path, left: show(left), right: show(right) }
  }
  for (const key of new Set([...Object.keys(left), ...Object.keys(right)])) {
    const inner = Array.isArray(left) ? `${path}[${key}]` : `${path}.${key}`
    const difference = compare(ownValue(left, key), ownValue(right, key), inner)
    if (difference !== null) return difference
  }
  return null
}

function isContainer(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function ownValue(value: Record<string, unknown>, key: string): unknown {
  return Object.hasOwn(value, key) ? value[key] : undefined
}

function show(value: unknown): string {
  if (value === undefined) return 'nothing'
  const text = JSON.stringify(value)
  return text.length > MAX_SHOWN_CHARS ? `${text.slice(0, MAX_SHOWN_CHARS)}…` : text
}
