import { expect } from 'chai'
import { definePlugin, type ExecutionContext, type InitializeContext } from '../../../src/plugin/index.ts'

type Same<A, B> = 0 extends 1 & A ? false : [A] extends [B] ? ([B] extends [A] ? true : false) : false

/** `yes(true satisfies Same<A, B>)` compiles only where both types are the same: the type check runs these tests. */
function yes(_isSame: true): void {}

const typed = definePlugin({
  operations: {
    greet: {
      input_schema: {
        type: 'object',
        required: ['name'],
        properties: {
          name: { type: 'string' },
          mood: { enum: ['kind', 'curt'] },
          ages: { type: 'array', items: { type: 'integer' } },
        },
      },
      execute(input, { signal, progress, remaining_ms, log }) {
        yes(true satisfies Same<typeof input, { name: string; mood?: 'kind' | 'curt'; ages?: number[] }>)
        yes(true satisfies Same<typeof signal, AbortSignal>)
        // @ts-expect-error -- the schema names no such property
        log.debug(String(input.surname))
        progress(null, `${remaining_ms()} ms left`)
        return `Hello ${input.name.toUpperCase()}`
      },
    },
    shout: {
      input_schema: { type: 'string' },
      execute: (input) => {
        yes(true satisfies Same<typeof input, string>)
        return input.toUpperCase()
      },
    },
    pick: {
      input_schema: { anyOf: [{ type: 'string' }, { type: 'null' }] },
      execute: async (input) => {
        yes(true satisfies Same<typeof input, string | null>)
        return input
      },
    },
    bare: (input, context) => {
      yes(true satisfies Same<typeof input, unknown>)
      yes(true satisfies Same<typeof context, ExecutionContext>)
      // @ts-expect-error -- only initialize() has it
      context.previous_state
      return input
    },
    annotated: (input: { count: number }) => input.count,
    method(input: { count: number }, context) {
      return [input.count, context.execution_id]
    },
    untyped: {
      execute(input) {
        yes(true satisfies Same<typeof input, unknown>)
        return input
      },
    },
  },
  initialize(context) {
    yes(true satisfies Same<typeof context, InitializeContext>)
    yes(true satisfies Same<typeof context.previous_state, unknown>)
    // @ts-expect-error -- only a call has progress
    context.progress
  },
  async configure(config) {
    yes(true satisfies Same<typeof config, Readonly<Record<string, unknown>>>)
    // @ts-expect-error -- it is the plugin's to read alone
    config['url'] = 'another'
  },
  validate_config(config) {
    return config['url'] === undefined ? 'url is missing' : undefined
  },
})

describe('the types of definePlugin()', () => {
  it('give inputs from their schemas without "as const"', () => {
    expect(Object.keys(typed.operations)).to.include.members(['greet', 'shout', 'pick', 'bare', 'annotated'])
  })

  it('refuse a mistyped hook, a mistyped key of an operation and a hook that is no function', () => {
    // @ts-expect-error -- "intialize" is not known
    expect(() => definePlugin({ operations: {}, intialize() {} })).to.throw(TypeError)
    expect(() =>
      definePlugin({
        operations: {
          // @ts-expect-error -- "inputschema" is not known
          greet: { inputschema: { type: 'string' }, execute: () => 1 },
        },
      }),
    ).to.throw(TypeError)
    // @ts-expect-error -- "export_stat" is not known
    expect(() => definePlugin({ operations: {}, export_stat: () => 1 })).to.throw(TypeError)
    // @ts-expect-error -- no function
    expect(() => definePlugin({ operations: {}, health: 'good' })).to.throw(TypeError)
    // @ts-expect-error -- operations are missing
    expect(() => definePlugin({})).to.throw(TypeError)
  })
})
