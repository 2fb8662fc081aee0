/**
 * What ajv's standalone code may ask for: the modules that the keywords of draft 2020-12 use when formats are not
 * checked (found in ajv 8.20.0, `*.code = 'require(…)'` under dist/runtime). The runner hands these two over.
 */
export const VALIDATOR_RUNTIME = ['ajv/dist/runtime/ucs2length', 'ajv/dist/runtime/equal'] as const

/** Text of the schema cannot match: inside the code its quotes are escaped. */
const REQUIRE = /require\("([^"]*)"\)/g

/**
 * Makes ajv's standalone module into one that imports nothing: `module.exports(runtime)` answers the validator.
 * Throws when the code wants a module that nobody will hand over.
 */
export function wrapValidator(standaloneCode: string): string {
  const known: readonly string[] = VALIDATOR_RUNTIME
  for (const [, name = ''] of standaloneCode.matchAll(REQUIRE)) {
    if (!known.includes(name)) throw new Error(`ajv's code needs "${name}", which validators do not get`)
  }
  return [
    `'use strict'`,
    'module.exports = function (runtime) {',
    'const require = (name) => runtime[name]',
    'const module = { exports: {} }',
    standaloneCode,
    'return module.exports',
    '}',
    '',
  ].join('\n')
}
