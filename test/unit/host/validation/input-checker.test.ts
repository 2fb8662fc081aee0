import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { expect } from 'chai'
import { InputChecker, type CheckedInput } from '../../../../host/validation/input-checker.ts'
import type { InputRule } from '../../../../host/validation/input-task.ts'
import { SchemaCompiler } from '../../../../host/validation/schema-compiler.ts'
import { refusalOf } from '../../../helpers/daemon.ts'

const SLOW = { type: 'string', pattern: '^(a+)+$' }
const MAX_PAYLOAD_BYTES = 64 * 1024 * 1024
const SLOW_INPUT = `${'a'.repeat(40)}!`

describe('InputChecker', function () {
  this.timeout(30_000)
  let folder: string
  let compiler: SchemaCompiler
  let checker: InputChecker

  before(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-inputs-'))
    compiler = new SchemaCompiler({ cacheDirectory: folder })
  })
  beforeEach(() => (checker = new InputChecker({ timeoutMs: 300, maxPayloadBytes: MAX_PAYLOAD_BYTES })))
  afterEach(() => checker.close())
  after(async () => {
    await compiler.close()
    fs.rmSync(folder, { recursive: true })
  })

  const ruleOf = async (schema: Record<string, unknown>): Promise<InputRule> => ({
    validator: (await compiler.compileInput(schema)).path,
    schema,
  })
  const check = async (
    schema: Record<string, unknown>,
    text: string | null,
    plugin = 'one',
  ): Promise<CheckedInput> =>
    checker.check(plugin, await ruleOf(schema), text === null ? null : Buffer.from(text))
  const textOf = (checked: CheckedInput): string | undefined =>
    checked.problem === null ? checked.input?.toString() : undefined

  it('gives an input on as it is written, where its schema fills nothing in', async () => {
    const schema = { type: 'object', properties: { n: { type: 'integer' } } }
    expect(textOf(await check(schema, '{ "n" : 1.0, "x": [] }'))).to.equal('{ "n" : 1.0, "x": [] }')
  })

  it('fills defaults in', async () => {
    const schema = { type: 'object', properties: { n: { type: 'integer', default: 7 } } }
    expect(textOf(await check(schema, '{}'))).to.equal('{"n":7}')
  })

  it('is not made to hold more than that: what defaults blow up is refused', async () => {
    const item = { type: 'object', properties: { text: { type: 'string', default: 'x'.repeat(200_000) } } }
    const filled = (count: number): Promise<CheckedInput> =>
      check({ type: 'array', items: item }, JSON.stringify(Array.from({ length: count }, () => ({}))))
    expect(textOf(await filled(10))).to.have.lengthOf(2_000_121)
    const { problem } = await filled(100)
    expect(problem?.message).to.match(
      /^input: with the defaults of its schema it has 20001201 bytes, at most/,
    )
    expect(problem?.details).to.deep.equal({ path: 'input', keyword: 'default' })
  })

  it('lets no input with its defaults be larger than any payload may be, in bytes', async () => {
    const small = new InputChecker({ maxPayloadBytes: 200 })
    const filledWith = async (text: string): Promise<CheckedInput> => {
      const schema = { type: 'object', properties: { text: { type: 'string', default: text } } }
      return await small.check('one', await ruleOf(schema), Buffer.from('{}'))
    }
    try {
      expect(textOf(await filledWith('x'.repeat(189)))).to.have.lengthOf(200)
      for (const text of ['x'.repeat(190), 'é'.repeat(95)]) {
        const { problem } = await filledWith(text)
        expect(problem?.message).to.match(/ it has 201 bytes, at most 200 are allowed$/)
      }
    } finally {
      await small.close()
    }
  })

  it('takes no input for null', async () => {
    expect(await check({ type: 'null' }, null)).to.deep.equal({ problem: null, input: null })
    const { problem } = await check({ type: 'string' }, null)
    expect(problem?.message).to.equal('input: must be string; found null')
  })

  it('says where an input does not fit, in the words of the runner', async () => {
    const schema = { type: 'object', properties: { list: { items: { enum: ['a'] } } }, required: ['list'] }
    const wrong = await check(schema, '{"list": ["a", "b"]}')
    expect(wrong.problem).to.deep.equal({
      message: 'input.list[1]: must be one of a; found "b"',
      details: { path: 'input.list[1]', keyword: 'enum', expected: 'must be one of a', found: '"b"' },
    })
    expect((await check(schema, '{}')).problem?.message).to.equal('input.list: is missing')
  })

  for (const [what, text] of Object.entries({
    'no JSON': '{"list": ',
    'a key __proto__': '{"__proto__": {}}',
    'too deep': `${'['.repeat(200)}${']'.repeat(200)}`,
    'a number beyond any': '[1e999]',
    nothing: '',
  })) {
    it(`refuses an input that is ${what}`, async () => {
      const { problem } = await check({}, text)
      expect(problem?.message).to.match(/^input: Cannot read JSON: /)
      expect(problem?.details).to.deep.equal({ path: 'input', keyword: 'json' })
    })
  }

  it('ends what takes too long, goes on, and holds nobody else up meanwhile', async () => {
    await check({ type: 'number' }, '1', 'other')
    const slow = check(SLOW, JSON.stringify(SLOW_INPUT))
    const queued = check(SLOW, '"aa"')
    expect(textOf(await check({ type: 'number' }, '1', 'other'))).to.equal('1')
    expect((await slow).problem?.message).to.match(
      /^input: checking it takes longer than 300 ms \(it is too large, or/,
    )
    expect(textOf(await queued)).to.equal('"aa"')
  })

  it('never blocks the loop that asks', async () => {
    let turns = 0
    const timer = setInterval(() => (turns += 1), 5)
    await check(SLOW, JSON.stringify(SLOW_INPUT))
    clearInterval(timer)
    expect(turns).to.be.greaterThan(20)
  })

  it('checks many at once, each its own', async () => {
    const schema = { type: 'object', properties: { n: { type: 'integer', default: 1 } } }
    const checked = await Promise.all(
      Array.from({ length: 200 }, (_, at) => check(schema, `{"at":${at}}`, `plugin_${at % 7}`)),
    )
    expect(checked.map(textOf)).to.deep.equal(Array.from({ length: 200 }, (_, at) => `{"at":${at},"n":1}`))
  })

  it('refuses what is open when it is closed', async () => {
    const slow = refusalOf(check(SLOW, JSON.stringify(SLOW_INPUT)))
    const queued = refusalOf(check({ type: 'number' }, '1'))
    await new Promise((resolve) => setImmediate(resolve))
    await checker.close()
    for (const error of [await slow, await queued]) expect(error.code).to.equal('DAEMON_SHUTTING_DOWN')
  })
})
