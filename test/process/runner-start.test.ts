import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { Ajv } from 'ajv'
import standalone from 'ajv/dist/standalone/index.js'
import { expect } from 'chai'
import type { RunnerOperation, RunnerParams } from '../../src/contract/runner-methods.ts'
import { buildRunner, errorOf, resultOf, RunnerDriver } from './runner-driver.ts'

const PIPELINE_SCHEMA = {
  type: 'object',
  required: ['pipeline'],
  additionalProperties: false,
  properties: {
    label: { type: 'string', minLength: 2, maxLength: 3 },
    mode: { const: 'fast' },
    tags: { type: 'array', uniqueItems: true },
    pipeline: {
      type: 'array',
      items: {
        type: 'object',
        required: ['operation_type'],
        properties: {
          operation_type: { enum: ['Filter', 'Transform', 'Analyze'] },
          depth: { type: 'integer', minimum: 1 },
        },
      },
    },
    target: {
      oneOf: [
        { type: 'string' },
        { type: 'object', required: ['path'], properties: { path: { type: 'string' } } },
      ],
    },
  },
}

describe('sandbox-runner, starting a plugin', () => {
  let file: string
  let folder: string
  let runner: RunnerDriver | null = null

  before(() => {
    file = buildRunner()
  })
  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-runner-'))
  })
  afterEach(async () => {
    await runner?.stop()
    runner = null
    fs.rmSync(folder, { recursive: true })
  })

  /** Writes the plugin's files; the first is its entry point. */
  function plugin(
    files: Record<string, string>,
    initialize: Partial<RunnerParams['initialize']> = {},
  ): RunnerDriver {
    for (const [name, text] of Object.entries(files)) fs.writeFileSync(path.join(folder, name), text)
    runner = new RunnerDriver({
      runner: file,
      entry: path.join(folder, Object.keys(files)[0] ?? ''),
      initialize,
    })
    return runner
  }

  /** What the start was refused with; the runner then ends in order when it is told to. */
  async function refusal(
    files: Record<string, string>,
    initialize: Partial<RunnerParams['initialize']> = {},
  ): Promise<string> {
    const started = plugin(files, initialize)
    const { name, message } = errorOf(await started.start())
    expect(name).to.equal('fault')
    expect(resultOf(await started.call('shutdown', {}))).to.equal(null)
    expect((await started.exited).code).to.equal(0)
    return message
  }

  function operation(name: string, schema: Record<string, unknown> | null): RunnerOperation {
    return {
      name,
      input_schema: schema,
      input_validator: schema === null ? null : writeValidator(folder, schema),
    }
  }

  describe('loading', () => {
    it('takes a plain object, and a CommonJS module with the SDK', async () => {
      const plain = plugin({ 'index.mjs': 'export default { operations: { echo: (input) => input } }' })
      resultOf(await plain.start())
      expect(resultOf(await plain.execute('echo', 5))).to.equal(5)
      await plain.stop()
      const common = plugin({
        'index.cjs': `const { definePlugin } = require('@phantom-ml/core/plugin')
          module.exports = definePlugin({ operations: { echo(input) { return [input, this.other()] }, other: () => 'this' } })`,
      })
      resultOf(await common.start())
      expect(resultOf(await common.execute('echo', 5))).to.deep.equal([5, 'this'])
    })

    it('takes a CommonJS module that was compiled from an ES module', async () => {
      const compiled = plugin({
        'index.cjs': 'exports.__esModule = true; exports.default = { operations: { one: () => 1 } }',
      })
      expect(resultOf(await compiled.start())).to.deep.include({ operations: ['one'] })
    })

    it('loads TypeScript whose types the host stripped, of all three kinds', async () => {
      const typed = plugin({
        'index.ts': `import { definePlugin } from '@phantom-ml/core/plugin'
          import { double } from './double.mts'
          import { createRequire } from 'node:module'
          const { triple } = createRequire(import.meta.url)('./triple.cts')
          export default definePlugin({ operations: { count: (input         ) => [double(input), triple(input)] } })`,
        'double.mts': `import triple from './triple.cts'; export const double = (value        ) => triple.triple(value) - value`,
        'triple.cts': `exports.triple = (value        ) => value * 3`,
      })
      resultOf(await typed.start())
      expect(resultOf(await typed.execute('count', 4))).to.deep.equal([8, 12])
      expect(typed.stderr).to.equal('')
    })

    it('names file and line of a syntax error, in ES modules, CommonJS and TypeScript', async () => {
      const sources: Record<string, string>[] = [
        { 'index.mjs': "import './inner.mjs'\n", 'inner.mjs': 'export const a = 1\n\nconst = 5\n' },
        { 'index.mjs': "import './inner.cjs'\n", 'inner.cjs': '\n\nconst = 5\n' },
        { 'index.ts': "import './inner.ts'\n", 'inner.ts': 'export const a = 1\n\nconst = 5\n' },
        { 'index.js': "import './inner.js'\n", 'inner.js': 'export const a = 1\n\nconst = 5\n' },
      ]
      for (const files of sources) {
        const message = await refusal(files)
        expect(message).to.equal(`${Object.keys(files)[1]}:3: SyntaxError: Unexpected token '='`)
        expect(runner?.stderr).to.equal('')
      }
    })

    it('names the import that does not exist, and says that packages have to be bundled', async () => {
      expect(
        await refusal({ 'index.mjs': "import { b } from './a.mjs'", 'a.mjs': 'export const a = 1' }),
      ).to.equal(
        "index.mjs:1: SyntaxError: The requested module './a.mjs' does not provide an export named 'b'",
      )
      expect(await refusal({ 'index.mjs': "import _ from 'lodash'" })).to.match(
        /Cannot find package 'lodash' imported from .*index\.mjs\. Bundle it into the plugin/,
      )
      expect(await refusal({ 'index.mjs': "import '@phantom-ml/core'" })).to.contain(
        'Import "@phantom-ml/core/plugin"',
      )
    })

    it('names file and line of what the module or a hook threw', async () => {
      expect(await refusal({ 'index.mjs': "\nthrow new Error('not today')" })).to.equal(
        'index.mjs:2: not today',
      )
      expect(
        await refusal({
          'index.mjs': 'export default { operations: {},\n async initialize() {\n null.x } }',
        }),
      ).to.equal("index.mjs:3: TypeError: Cannot read properties of null (reading 'x')")
      expect(
        await refusal({
          'index.mjs': "export default { operations: {}, initialize() { throw 'plain words' } }",
        }),
      ).to.equal('plain words')
      expect(
        await refusal({
          'index.mjs': "export default { operations: {},\n initialize() { JSON.parse('{') } }",
        }),
      ).to.match(/^index\.mjs:2: SyntaxError: Expected property name/)
    })

    it('says what is wrong with the definition', async () => {
      expect(await refusal({ 'index.mjs': 'export const operations = {}' })).to.equal(
        'its entry point has no default export, it exports operations. Write "export default definePlugin({ … })"',
      )
      expect(await refusal({ 'index.mjs': 'export default { operations: {}, helth() {} }' })).to.equal(
        'Cannot define plugin: "helth" is not known here. Did you mean "health"?',
      )
    })

    it('passes on the veto of validate_config(), returned or thrown', async () => {
      const source = (body: string) => ({
        'index.mjs': `export default { operations: {}, async validate_config(config) { ${body} } }`,
      })
      expect(await refusal(source("return config.url + ' is no URL'"), { config: { url: 'x' } })).to.equal(
        'its validate_config() refused the configuration: x is no URL',
      )
      expect(await refusal(source("throw new Error('no')"))).to.equal('index.mjs:1: no')
    })
  })

  describe('fitting the manifest', () => {
    const TWO = { 'index.mjs': 'export default { operations: { filter: () => 1, sort: () => 2 } }' }

    it('fails when the code lacks a declared operation, and names the nearest', async () => {
      expect(
        await refusal(TWO, { operations: [operation('fliter', null), operation('zip', null)] }),
      ).to.equal(
        'plugin.toml declares operations that the code lacks: "fliter" (did you mean "filter"?), "zip". ' +
          'The code has "filter", "sort". Add them to operations, or take them out of plugin.toml',
      )
    })

    it('hides operations that the manifest does not declare, and says so', async () => {
      const started = plugin(TWO, { operations: [operation('sort', null)] })
      expect(resultOf(await started.start())).to.deep.include({ operations: ['sort'] })
      expect(errorOf(await started.execute('filter')).name).to.equal('operation_not_found')
      expect(resultOf(await started.execute('sort'))).to.equal(2)
      expect(started.logs[0]?.message).to.contain('The operation "filter" cannot be called')
    })

    const WITH_SCHEMA = {
      'index.mjs': `export default { operations: { sort: { input_schema: { type: 'object', properties: { by: { enum: ['a', 'b'] } } }, execute: () => 1 } } }`,
    }

    it('takes a schema in code that equals the one of the manifest, in any order of keys', async () => {
      const schema = { properties: { by: { enum: ['a', 'b'] } }, type: 'object' }
      expect(
        resultOf(await plugin(WITH_SCHEMA, { operations: [operation('sort', schema)] }).start()),
      ).to.deep.include({
        operations: ['sort'],
      })
    })

    it('fails when it differs, and says where', async () => {
      const schema = { type: 'object', properties: { by: { enum: ['a', 'c'] } } }
      expect(await refusal(WITH_SCHEMA, { operations: [operation('sort', schema)] })).to.equal(
        'the input_schema of the operation "sort" differs from the one in plugin.toml, which is the source: ' +
          'at input_schema.properties.by.enum[1], plugin.toml says "c", the code says "b". Make them equal, or take it out of the code',
      )
    })

    it('fails when the manifest has none, and says which line to add', async () => {
      for (const operations of [[], [operation('sort', null)]]) {
        expect(await refusal(WITH_SCHEMA, { operations })).to.contain(
          'the line: input_schema = "sort.schema.json"',
        )
      }
    })
  })

  describe('checking inputs', () => {
    const CASES: [what: string, input: unknown, message: string, details: object][] = [
      [
        'a value outside an enum',
        { pipeline: [{ operation_type: 'Filter' }, { operation_type: 'Fliter' }] },
        'input.pipeline[1].operation_type: must be one of Filter, Transform, Analyze; found "Fliter"',
        {
          path: 'input.pipeline[1].operation_type',
          keyword: 'enum',
          expected: 'must be one of Filter, Transform, Analyze',
          found: '"Fliter"',
        },
      ],
      [
        'a missing member',
        { pipeline: [{}] },
        'input.pipeline[0].operation_type: is missing',
        { keyword: 'required' },
      ],
      [
        'an unknown member',
        { pipeline: [], 'a b': 1 },
        'input["a b"]: is not known here (known are label, mode, tags, pipeline, target); found 1',
        { keyword: 'additionalProperties' },
      ],
      [
        'a wrong type',
        { pipeline: 'x'.repeat(500) },
        `input.pipeline: must be array; found "${'x'.repeat(80)}…"`,
        { keyword: 'type' },
      ],
      [
        'a wrong constant',
        { pipeline: [], mode: 'slow' },
        'input.mode: must be fast; found "slow"',
        { keyword: 'const' },
      ],
      [
        'a bound',
        { pipeline: [{ operation_type: 'Filter', depth: 0 }] },
        'input.pipeline[0].depth: must be >= 1; found 0',
        { keyword: 'minimum' },
      ],
      [
        'code points, not units',
        { pipeline: [], label: '😀' },
        'input.label: must NOT have fewer than 2 characters; found "😀"',
        {},
      ],
      [
        'a choice that got nowhere',
        { pipeline: [], target: 5 },
        'input.target: must fit one of the shapes that its schema allows; found 5',
        {},
      ],
      [
        'the branch that got furthest',
        { pipeline: [], target: { path: 5 } },
        'input.target.path: must be string; found 5',
        {},
      ],
      [
        'twins',
        { pipeline: [], tags: [{ a: 1 }, { a: 1 }] },
        'input.tags: must NOT have duplicate items (items ## 0 and 1 are identical); found [{"a":1},{"a":1}]',
        {},
      ],
      ['no input at all', undefined, 'input: must be object; found null', {}],
    ]

    it('says where, what was expected and what was found, and lets the others through', async () => {
      const started = plugin(
        { 'index.mjs': 'export default { operations: { run: (input) => input } }' },
        { operations: [operation('run', PIPELINE_SCHEMA)] },
      )
      resultOf(await started.start())
      for (const [what, input, words, facts] of CASES) {
        const { name, message, details } = errorOf(await started.execute('run', input))
        expect(message, what).to.equal(words)
        expect(name).to.equal('input_invalid')
        expect(details).to.include(facts)
      }
      const good = { pipeline: [{ operation_type: 'Filter' }], label: '😀😀😀', tags: [{ a: 1 }, { a: 2 }] }
      expect(resultOf(await started.execute('run', good))).to.deep.equal(good)
    })
  })
})

/** A validator as the host generates it: ajv's standalone code, its runtime handed in. */
function writeValidator(folder: string, schema: Record<string, unknown>): string {
  const ajv = new Ajv({ code: { source: true, esm: false }, strict: false })
  const code = standalone.default(ajv, ajv.compile(schema))
  const file = path.join(folder, 'validator.cjs')
  const wrapped = `module.exports = function (runtime) { const require = (name) => runtime[name]; const module = {}; ${code}; return module.exports }`
  fs.writeFileSync(file, wrapped)
  return file
}
