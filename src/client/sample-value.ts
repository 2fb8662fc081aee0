/** Levels of a sample; a schema may refer to itself. */
const MAX_DEPTH = 8

type Schema = Readonly<Record<string, unknown>>

/**
 * A value to begin with: the schema's default; an object of what its properties have a default for and of what it
 * requires; else one of the right kind, which a person then changes. It does not promise to fit patterns.
 */
export function sampleValue(schema: unknown, root: Schema, depth = 0): unknown {
  const at = resolve(schema, root)
  if (Object.hasOwn(at, 'default')) {
    const given: unknown = structuredClone(at['default'])
    return isTable(given) ? { ...sampleObject(at, root, depth), ...given } : given
  }
  if (Object.hasOwn(at, 'const')) return at['const']
  const choice = firstOf(at['examples']) ?? firstOf(at['enum'])
  if (choice !== undefined) return choice
  const branch = firstOf(at['anyOf']) ?? firstOf(at['oneOf'])
  const type = firstOf(at['type']) ?? at['type'] ?? (isTable(at['properties']) ? 'object' : undefined)
  if (type === undefined && branch !== undefined && depth < MAX_DEPTH)
    return sampleValue(branch, root, depth + 1)
  return type === 'object' ? sampleObject(at, root, depth) : plainSample(type, at)
}

function sampleObject(schema: Schema, root: Schema, depth: number): Record<string, unknown> {
  const properties = isTable(schema['properties']) ? schema['properties'] : {}
  const required = new Set(Array.isArray(schema['required']) ? schema['required'] : [])
  if (depth >= MAX_DEPTH) return {}
  const entries = Object.entries(properties)
    .filter(([key, inner]) => required.has(key) || hasDefault(inner, root))
    .map(([key, inner]) => [key, sampleValue(inner, root, depth + 1)])
  return Object.fromEntries(entries) as Record<string, unknown>
}

function plainSample(type: unknown, schema: Schema): unknown {
  const number = (name: string): number | undefined =>
    typeof schema[name] === 'number' ? schema[name] : undefined
  switch (type) {
    case 'integer':
    case 'number': {
      const above = number('exclusiveMinimum')
      return number('minimum') ?? (above === undefined ? Math.min(0, number('maximum') ?? 0) : above + 1)
    }
    case 'boolean':
      return false
    case 'array':
      return []
    case 'null':
      return null
    default:
      return 'text'.padEnd(Math.min(number('minLength') ?? 0, 256), '-').slice(0, number('maxLength'))
  }
}

/** Defaults inside an object that has none itself do not make it appear: ajv fills only what is there. */
function hasDefault(schema: unknown, root: Schema): boolean {
  return Object.hasOwn(resolve(schema, root), 'default')
}

/** Follows references inside the schema, `#/$defs/size`, as far as they lead to something. */
function resolve(schema: unknown, root: Schema): Schema {
  let at = schema
  for (let step = 0; step < MAX_DEPTH && isTable(at) && typeof at['$ref'] === 'string'; step += 1) {
    let target: unknown = root
    for (const part of at['$ref'].split('/').slice(1)) {
      const name = part.replaceAll('~1', '/').replaceAll('~0', '~')
      target = isTable(target) && Object.hasOwn(target, name) ? target[name] : undefined
    }
    at = target
  }
  return isTable(at) ? at : {}
}

function firstOf(values: unknown): unknown {
  return Array.isArray(values) ? (values as unknown[])[0] : undefined
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
