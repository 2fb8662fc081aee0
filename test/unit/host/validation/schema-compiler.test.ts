import { expect } from 'chai'
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import { createRequire } from 'node:module'
import os from 'node:os'
import path from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { PhantomError } from '../../../../src/contract/phantom-error.ts'
import { SchemaCompiler } from '../../../../host/validation/schema-compiler.ts'
import { VALIDATOR_RUNTIME, wrapValidator } from '../../../../host/validation/wrap-validator.ts'

const require = createRequire(import.meta.url)
const DEADLINE_MS = 1000
const DATA_SCHEMA = {
  type: 'object',
  properties: {
    data: { type: 'array', items: { type: 'object' }, uniqueItems: true },
    mode: { type: 'string', minLength: 2, default: 'fast' },
    shape: { const: { a: [1] } },
    parent: { $ref: '#' },
  },
  required: ['data', 'mode'],
  additionalProperties: false,
}

type Validator = ((data: unknown) => boolean) & {
  errors?: { message?: string; instancePath: string }[] | null
}

describe('SchemaCompiler', function () {
  this.timeout(30_000)
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-schema-'))
  const opened: SchemaCompiler[] = []
  let count = 0

  afterEach(async () => {
    await Promise.all(opened.splice(0).map((compiler) => compiler.close()))
  })
  after(() => fs.rmSync(folder, { recursive: true, force: true }))

  function open(cacheDirectory = path.join(folder, `cache-${(count += 1)}`), timeoutMs = 2000) {
    const compiler = new SchemaCompiler({ cacheDirectory, timeoutMs })
    opened.push(compiler)
    return { compiler, cacheDirectory }
  }

  describe('compileInput()', () => {
    it('writes a validator that checks, fills in defaults and imports nothing', async () => {
      const { path: file } = await open().compiler.compileInput(DATA_SCHEMA)
      const validate = load(file)
      const input = { data: [{}] }
      expect(validate(input)).to.equal(true)
      expect(input).to.eql({ data: [{}], mode: 'fast' })
      expect(validate({ data: [{}, {}] })).to.equal(false)
      expect(validate.errors?.[0]).to.include({ instancePath: '/data' })
      expect(validate({ data: [], mode: '😀' })).to.equal(false)
      expect(validate({ data: [], shape: { a: [1] }, parent: { data: [], extra: 1 } })).to.equal(false)
      expect(validate.errors?.[0]).to.include({ instancePath: '/parent' })
    })

    it('writes code that runs where strings make no code', async () => {
      const { path: file } = await open().compiler.compileInput(DATA_SCHEMA)
      const script = `
        const runtime = {
          'ajv/dist/runtime/ucs2length': { default: (text) => [...text].length },
          'ajv/dist/runtime/equal': { default: (a, b) => JSON.stringify(a) === JSON.stringify(b) },
        }
        const validate = require(${JSON.stringify(file)})(runtime)
        let canEval = true
        try { new Function('return 1')() } catch { canEval = false }
        console.log(JSON.stringify([canEval, validate({ data: [{ a: 1 }] }), validate({ data: 1 })]))`
      const flags = ['--disallow-code-generation-from-strings', '-e', script]
      expect(JSON.parse(execFileSync(process.execPath, flags, { encoding: 'utf8' }))).to.eql([
        false,
        true,
        false,
      ])
    })

    it('writes each schema once, readable for all, and takes what is there without a thread', async () => {
      const first = open()
      const [one, two] = await Promise.all([1, 2].map(() => first.compiler.compileInput(DATA_SCHEMA)))
      expect(one).to.eql(two)
      const file = one?.path ?? ''
      expect(fs.readdirSync(first.cacheDirectory)).to.eql([path.basename(file)])
      expect(file).to.match(/\/[0-9a-f]{64}\.cjs$/)
      expect(fs.statSync(file).mode & 0o777).to.equal(0o644)
      const { mtimeMs } = fs.statSync(file)
      await first.compiler.close()
      expect(await open(first.cacheDirectory).compiler.compileInput(DATA_SCHEMA)).to.eql(one)
      expect(workerThreads()).to.equal(0)
      expect(fs.statSync(file).mtimeMs).to.equal(mtimeMs)
      fs.truncateSync(file)
      await open(first.cacheDirectory).compiler.compileInput(DATA_SCHEMA)
      expect(fs.statSync(file).size).to.be.above(1000)
    })

    it('makes anew what the daemon itself will run, whatever lay in the folder, and once', async () => {
      const first = open()
      const { path: file } = await first.compiler.compileInput(DATA_SCHEMA)
      const text = fs.readFileSync(file, 'utf8')
      fs.writeFileSync(file, 'module.exports = () => process.exit(1)')
      const { compiler } = open(first.cacheDirectory)
      expect(await compiler.compileInput(DATA_SCHEMA, true)).to.eql({ path: file })
      expect(fs.readFileSync(file, 'utf8')).to.equal(text)
      const { mtimeMs } = fs.statSync(file)
      await compiler.compileInput(DATA_SCHEMA, true)
      expect(fs.statSync(file).mtimeMs).to.equal(mtimeMs)
    })

    it('keeps names of the prototype apart from properties', async () => {
      const validate = load(
        (await open().compiler.compileInput({ type: 'object', required: ['constructor'] })).path,
      )
      expect(validate({})).to.equal(false)
      expect(validate({ constructor: 1 })).to.equal(true)
    })

    it('escapes what a schema would smuggle into the code', async () => {
      const nasty = '");globalThis.owned=1;require("node:fs");("\u2028`${globalThis.owned=1}*/\\'
      const schema = {
        type: 'object',
        properties: { [nasty]: { const: nasty, title: nasty } },
        required: [nasty],
      }
      const validate = load((await open().compiler.compileInput(schema)).path)
      expect(validate({ [nasty]: nasty })).to.equal(true)
      expect(validate({ [nasty]: 'other' })).to.equal(false)
      expect((globalThis as Record<string, unknown>)['owned']).to.equal(undefined)
    })

    const refusals: [string, Record<string, unknown>, RegExp][] = [
      ['an unknown keyword', { tpye: 'object' }, /"tpye" is no keyword of JSON Schema/],
      ['an unknown type', { type: 'strnig' }, /type must be equal to one of the allowed values/],
      [
        'a remote reference',
        { $ref: 'http://127.0.0.1:9/x' },
        /"\$ref" "http:\/\/127.0.0.1:9\/x" leads out of it/,
      ],
      ['a reference to a file', { allOf: [{ $ref: 'other.json' }] }, /"other.json" leads out of it/],
      ['a reference to nothing', { $ref: '#/$defs/none' }, /can't resolve reference #\/\$defs\/none/],
      ['itself without end', { $ref: '#' }, /refers to itself/],
      ['asynchronous checks', { $async: true }, /\$async/],
      ['an identity inside', { $defs: { a: { $id: 'http://x/y' } } }, /has "\$id" "http:\/\/x\/y" inside/],
      ['another draft', { $schema: 'http://json-schema.org/draft-04/schema#' }, /"\$schema" is .*draft-04/],
      ['a broken pattern', { pattern: '(' }, /Invalid regular expression/],
      ['a default without effect', { anyOf: [{ properties: { a: { default: 1 } } }] }, /default is ignored/],
      ['no list where one is due', { required: 'name' }, /required must be array/],
      [
        'a property __proto__',
        JSON.parse('{"properties":{"__proto__":{}}}') as object as never,
        /"__proto__"/,
      ],
      ['a big integer', { const: 1n }, /is no JSON/],
      ['too much text', { enum: Array.from({ length: 200_000 }, (_, i) => i) }, /at most 262144 are allowed/],
      ['too many values', { enum: Array(60_000).fill(1) }, /more than 50000 values/],
      ['too many levels', nested(200), /deeper than 128 levels/],
      ['levels beyond the stack', nested(100_000), /is no JSON|at most/],
    ]
    for (const [what, schema, words] of refusals) {
      it(`refuses ${what} in words`, async () => {
        const error = await rejection(open().compiler.compileInput(schema))
        expect(error.message)
          .to.match(words)
          .and.match(/^Cannot use the schema: /)
        expect(error.code).to.equal('MANIFEST_INVALID')
      })
    }

    it('takes what editors add, draft 7 as its draft, and every kind of keyword', async () => {
      const validate = load(
        (
          await open().compiler.compileInput({
            $schema: 'http://json-schema.org/draft-07/schema#',
            $id: 'https://example.org/mine',
            $comment: 'c',
            title: 't',
            definitions: { name: { type: ['string', 'null'], maxLength: 3 } },
            properties: { name: { $ref: '#/definitions/name' }, $ref: { type: 'string' } },
            patternProperties: { '^x-': { multipleOf: 2 } },
            propertyNames: { maxLength: 8 },
            dependentRequired: { a: ['b'] },
            if: { required: ['a'] },
            // oxlint-disable-next-line unicorn/no-thenable -- a keyword of JSON Schema
            then: { minProperties: 2 },
            not: { required: ['never'] },
            unevaluatedProperties: {
              oneOf: [{ type: 'number' }, { type: 'array', contains: { type: 'null' } }],
            },
          })
        ).path,
      )
      expect(validate({ name: null, $ref: 'x', 'x-a': 4, a: 1, b: 2 })).to.equal(true)
      expect(validate({ name: 'long' })).to.equal(false)
      expect(validate({ other: 'text' })).to.equal(false)
    })
  })

  describe('configDefaults()', () => {
    const schema = {
      type: 'object',
      properties: {
        enabled: { type: 'boolean', default: true },
        batch_size: { type: 'number', default: 100 },
        database: { type: 'object', default: {}, properties: { port: { type: 'integer', default: 5432 } } },
        note: { type: 'string' },
      },
      required: ['enabled'],
    }

    it('gives the defaults, inner ones too, and the second time from the file', async () => {
      const { compiler, cacheDirectory } = open()
      const expected = { enabled: true, batch_size: 100, database: { port: 5432 } }
      expect(await compiler.configDefaults(schema)).to.eql(expected)
      expect(fs.readdirSync(cacheDirectory)).to.have.length(1)
      expect(await open(cacheDirectory).compiler.configDefaults(schema)).to.eql(expected)
    })

    it('names every required field without default', async () => {
      const error = await rejection(
        open().compiler.configDefaults({
          type: 'object',
          properties: {
            token: { type: 'string' },
            database: { type: 'object', default: {}, required: ['host'], properties: { host: {} } },
          },
          required: ['token', 'database'],
        }),
      )
      expect(error.code).to.equal('CONFIG_INVALID')
      expect(error.details['fields']).to.have.members(['token', 'database.host'])
      expect(error.message)
        .to.contain('no default for')
        .and.to.contain('"token"')
        .and.to.contain('"database.host"')
    })

    it('names a default that does not fit its own schema', async () => {
      const wrong = { type: 'object', properties: { size: { type: 'integer', minimum: 10, default: 3 } } }
      const error = await rejection(open().compiler.configDefaults(wrong))
      expect(error.code).to.equal('CONFIG_INVALID')
      expect(error.message).to.contain('"size" must be >= 10')
    })
  })

  describe('with a hostile schema', () => {
    const hostile: [string, Record<string, unknown>, RegExp][] = [
      [
        'a pattern that backtracks for ever',
        {
          type: 'object',
          properties: { a: { type: 'string', pattern: '^(a+)+$', default: `${'a'.repeat(40)}!` } },
        },
        /takes longer than 1000 ms/,
      ],
      ['defaults that multiply', multiplyingDefaults(40), /takes longer than|ended with|without end/],
      ['defaults without end', { properties: { a: { $ref: '#', default: {} } } }, /without end/],
      [
        'a chain of a thousand references',
        {
          $ref: '#/$defs/d0',
          $defs: Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`d${i}`, next(i)])),
        },
        /without end|resolve|takes longer|ended with/,
      ],
    ]

    for (const [what, schema, words] of hostile) {
      it(`ends ${what} at the deadline, and the loop goes on meanwhile`, async () => {
        const { compiler } = open(undefined, DEADLINE_MS)
        await compiler.configDefaults({ type: 'object' })
        const delay = monitorEventLoopDelay({ resolution: 5 })
        delay.enable()
        let ticks = 0
        const timer = setInterval(() => (ticks += 1), 10)
        const startedAt = performance.now()
        const error = await rejection(compiler.configDefaults(schema))
        const tookMs = performance.now() - startedAt
        clearInterval(timer)
        delay.disable()
        expect(error.code).to.equal('MANIFEST_INVALID')
        expect(error.message).to.match(words)
        expect(tookMs).to.be.below(5 * DEADLINE_MS)
        expect(delay.max / 1e6).to.be.below(0.6 * DEADLINE_MS)
        if (tookMs > 0.9 * DEADLINE_MS) expect(ticks).to.be.above(20)
        // The thread was replaced.
        expect(await compiler.configDefaults({ properties: { b: { default: 1 } } })).to.eql({ b: 1 })
      })
    }

    it('compiles what is slow to run but quick to compile', async () => {
      const schema = { type: 'string', pattern: '^(a+)+$' }
      expect(load((await open().compiler.compileInput(schema)).path)('aaa')).to.equal(true)
    })
  })

  it('lets its thread end when nothing comes', async () => {
    const { compiler } = open()
    await compiler.configDefaults({ title: 'one' })
    expect(workerThreads()).to.equal(1)
    while (workerThreads() > 0) await new Promise((resolve) => setTimeout(resolve, 50))
    expect(await compiler.configDefaults({ title: 'two' })).to.eql({})
  })

  it('leaves no thread and no unfinished file behind at close(), and refuses what comes late', async () => {
    const { compiler, cacheDirectory } = open()
    const pending = Array.from({ length: 100 }, (_, i) => compiler.compileInput({ title: `schema ${i}` }))
    await pending[0]
    expect(workerThreads()).to.equal(1)
    const outcomes = Promise.allSettled(pending)
    await compiler.close()
    const states = (await outcomes).map((outcome) =>
      outcome.status === 'fulfilled' ? 'made' : outcome.reason.code,
    )
    expect(states[0]).to.equal('made')
    // How many were made in between is the machine's affair; the last of a hundred was not.
    expect(states.at(-1)).to.equal('DAEMON_SHUTTING_DOWN')
    expect(states.every((state) => state === 'made' || state === 'DAEMON_SHUTTING_DOWN')).to.equal(true)
    expect((await rejection(compiler.compileInput({ title: 'late' }))).code).to.equal('DAEMON_SHUTTING_DOWN')
    expect(workerThreads()).to.equal(0)
    expect(fs.readdirSync(cacheDirectory).filter((name) => !name.endsWith('.cjs'))).to.eql([])
  })
})

describe('wrapValidator()', () => {
  it('refuses code that asks for a module nobody hands over', () => {
    expect(() => wrapValidator('const f = require("ajv-formats/dist/formats").default')).to.throw(
      /ajv-formats/,
    )
  })
})

/** As the runner loads it. */
function load(file: string): Validator {
  const create = require(file) as (runtime: Record<string, unknown>) => Validator
  return create(Object.fromEntries(VALIDATOR_RUNTIME.map((name) => [name, require(name) as unknown])))
}

/** Threads of this process that run JavaScript, by the name that Node gives them. */
function workerThreads(): number {
  return fs.readdirSync('/proc/self/task').filter((task) => threadName(task) === 'WorkerThread').length
}

function threadName(task: string): string {
  try {
    return fs.readFileSync(`/proc/self/task/${task}/comm`, 'utf8').trim()
  } catch {
    // It ended between the listing and the reading.
    return ''
  }
}

async function rejection(promise: Promise<unknown>): Promise<PhantomError> {
  try {
    await promise
  } catch (error) {
    return error as PhantomError
  }
  throw new Error('it was accepted')
}

function nested(levels: number): Record<string, unknown> {
  let schema: Record<string, unknown> = {}
  for (let i = 0; i < levels; i += 1) schema = { not: schema }
  return schema
}

/** Each level fills in two of the next one: 2^levels objects. */
function multiplyingDefaults(levels: number): Record<string, unknown> {
  const definition = (level: number) => ({
    properties: Object.fromEntries(
      ['a', 'b'].map((key) => [key, { $ref: `#/$defs/l${level}`, default: {} }]),
    ),
  })
  const $defs = Object.fromEntries(Array.from({ length: levels }, (_, i) => [`l${i}`, definition(i + 1)]))
  return { ...definition(0), $defs: { ...$defs, [`l${levels}`]: {} } }
}

function next(index: number): Record<string, unknown> {
  return { $ref: `#/$defs/d${index + 1}` }
}
