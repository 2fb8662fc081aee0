import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv'
import { nearestName } from '../../src/contract/manifest/nearest-name.ts'
import { PhantomError } from '../../src/contract/phantom-error.ts'
import { SYSTEM_PARAMS, type SystemMethod, type SystemParams } from '../../src/contract/system-methods.ts'

const METHODS = Object.keys(SYSTEM_PARAMS) as SystemMethod[]
const KNOWN: ReadonlySet<string> = new Set(METHODS)
const validators = compileAll()

/** @throws PhantomError METHOD_NOT_FOUND with the nearest method's name */
export function checkMethod(method: string): SystemMethod {
  if (KNOWN.has(method)) return method as SystemMethod
  const nearest = nearestName(method, METHODS)
  throw new PhantomError(
    'METHOD_NOT_FOUND',
    `Cannot call "${method.slice(0, 80)}": there is no such method. ` +
      (nearest === null ? `There are ${METHODS.join(', ')}` : `Did you mean "${nearest}"?`),
    { details: { nearest } },
  )
}

/** @throws PhantomError PARAMS_INVALID that names the field, what was found and what was expected */
export function checkParams<M extends SystemMethod>(method: M, params: unknown): SystemParams<M> {
  const validate = validators[method]
  if (validate(params)) return params as SystemParams<M>
  throw paramsError(method, validate.errors![0]!, params)
}

function compileAll(): Record<SystemMethod, ValidateFunction> {
  const ajv = new Ajv({ allowUnionTypes: true, strict: true, verbose: true })
  return Object.fromEntries(METHODS.map((method) => [method, ajv.compile(SYSTEM_PARAMS[method])])) as Record<
    SystemMethod,
    ValidateFunction
  >
}

function paramsError(method: SystemMethod, error: ErrorObject, params: unknown): PhantomError {
  const field = `params${error.instancePath.replaceAll('/', '.')}`
  const found = JSON.stringify(error.instancePath === '' ? params : error.data)?.slice(0, 80)
  const known = Object.keys(SYSTEM_PARAMS[method].properties)
  let what = `"${field}" ${error.message ?? 'is invalid'}, found ${found}`
  if (error.keyword === 'additionalProperties') {
    const unknown = String((error.params as { additionalProperty: unknown }).additionalProperty)
    const nearest = nearestName(unknown, known)
    what = `"${field}" has no field "${unknown.slice(0, 80)}". `
    what += nearest === null ? `It knows ${known.join(', ') || 'none'}` : `Did you mean "${nearest}"?`
  }
  return new PhantomError('PARAMS_INVALID', `Cannot call "${method}": ${what}. See docs/protocol.md`, {
    details: { field, method },
  })
}
