import { expect } from 'chai'
import { definePlugin } from '../../../src/plugin/index.ts'

/** As a JavaScript author may call it, without types. */
const define = definePlugin as (definition: unknown) => unknown
const refusal = (definition: unknown): string => {
  try {
    define(definition)
  } catch (error) {
    expect(error).to.be.instanceOf(TypeError)
    return (error as Error).message
  }
  throw new Error('it was accepted')
}

describe('definePlugin()', () => {
  it('returns the very object it was given', () => {
    const definition = { operations: { echo: (input: unknown) => input }, health: () => 'good' }
    expect(definePlugin(definition)).to.equal(definition)
  })

  it('names an unknown key and the nearest known one', () => {
    expect(refusal({ operations: {}, intialize() {} })).to.equal(
      'Cannot define plugin: "intialize" is not known here. Did you mean "initialize"?',
    )
    expect(refusal({ operations: {}, exportState() {} })).to.contain('Did you mean "export_state"?')
    expect(refusal({ operations: {}, zzz: 1 })).to.equal(
      'Cannot define plugin: "zzz" is not known here. Known are operations, messages, initialize, shutdown, ' +
        'validate_config, configure, quiesce, resume, export_state, health, metadata, capabilities',
    )
    expect(refusal({ operations: { greet: { exceute() {}, input_schema: {} } } })).to.equal(
      'Cannot define plugin: operations["greet"]."exceute" is not known here. Did you mean "execute"?',
    )
  })

  it('says what it found where it expected a function, an object or a schema', () => {
    expect(refusal(null)).to.contain('expected an object { operations: { … } }, found null')
    expect(refusal({})).to.contain('operations must be an object of functions by name, found nothing')
    expect(refusal({ operations: [] })).to.contain('found an array')
    expect(refusal({ operations: {}, shutdown: 5 })).to.contain(
      'shutdown must be a function, found a value of type number',
    )
    expect(refusal({ operations: {}, messages: [] })).to.contain(
      'messages must be an object of functions by type',
    )
    expect(refusal({ operations: {}, messages: { note: {} } })).to.contain(
      'messages["note"] must be a function, found a value of type object',
    )
    for (const hook of ['configure', 'quiesce', 'resume', 'export_state']) {
      expect(refusal({ operations: {}, [hook]: true })).to.contain(
        `${hook} must be a function, found a value`,
      )
    }
    expect(refusal({ operations: { a: 'x' } })).to.contain(
      'operations["a"] must be a function or { input_schema, execute }',
    )
    expect(refusal({ operations: { a: {} } })).to.contain(
      'operations["a"].execute must be a function, found nothing',
    )
    expect(refusal({ operations: { a: { execute() {}, input_schema: 'file.json' } } })).to.contain(
      'operations["a"].input_schema must be a JSON Schema object',
    )
  })
})
