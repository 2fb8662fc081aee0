import { expect } from 'chai'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import {
  computePluginConfig,
  type PluginConfigRequest,
} from '../../../../host/config/plugin/compute-plugin-config.ts'
import { toConfigFile } from '../../../../host/config/plugin/config-source.ts'
import { SchemaCompiler } from '../../../../host/validation/schema-compiler.ts'
import type { PhantomError } from '../../../../src/contract/phantom-error.ts'

/** The specification's, with a level below. */
const SCHEMA = {
  type: 'object',
  properties: {
    enabled: { type: 'boolean', default: true },
    batch_size: { type: 'number', default: 100, minimum: 1, maximum: 5000 },
    mode: { enum: ['fast', 'exact'], default: 'fast' },
    tags: { type: 'array', items: { type: 'string' }, uniqueItems: true },
    database: {
      type: 'object',
      default: {},
      properties: {
        host: { type: 'string', default: 'localhost' },
        port: { type: 'integer', default: 5432 },
      },
      additionalProperties: false,
    },
    api_token: { type: 'string', pattern: '^tk_' },
  },
  required: ['enabled'],
  additionalProperties: false,
}
const FILE = 'config/plugins/x.yaml'

describe('computePluginConfig()', function () {
  this.timeout(30_000)
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-plugin-config-'))
  const checker = new SchemaCompiler({ cacheDirectory: path.join(folder, 'schemas'), timeoutMs: 2000 })
  after(async () => {
    await checker.close()
    fs.rmSync(folder, { recursive: true, force: true })
  })

  const compute = (text: string | null, more: Partial<PluginConfigRequest> = {}) =>
    computePluginConfig({
      schema: SCHEMA,
      file: { path: FILE, text },
      environment: 'development',
      checker,
      ...more,
    })
  const messages = async (text: string | null, more: Partial<PluginConfigRequest> = {}) => {
    const { config, issues } = await compute(text, more)
    expect(config === null).to.equal(issues.some(({ severity }) => severity === 'error'))
    return issues.map(({ line, column, field, message }) => `${line}:${column} [${field}] ${message}`)
  }

  it('gives the defaults of plugin.toml where there is no file', async () => {
    const { config, issues } = await compute(null)
    expect(issues).to.eql([])
    expect(config?.effective).to.eql({
      enabled: true,
      batch_size: 100,
      mode: 'fast',
      database: { host: 'localhost', port: 5432 },
    })
    expect(config?.origins).to.include({
      batch_size: 'default of plugin.toml',
      'database.port': 'default of plugin.toml',
    })
    expect(config?.common).to.eql({ enabled: true, logLevel: null, verbose: false })
  })

  it('lays the file over the defaults and the environment over the file, and says where each value stands', async () => {
    const text = `# mine
batch_size: 50
tags: [a, b]
database:
  host: db.internal
environments:
  production:
    batch_size: 1000
    tags: [c]
    database: { port: 6432 }
  test:
`
    const development = (await compute(text)).config
    expect(development?.effective).to.deep.include({
      batch_size: 50,
      tags: ['a', 'b'],
      database: { host: 'db.internal', port: 5432 },
    })
    const production = (await compute(text, { environment: 'production' })).config
    expect(production?.effective).to.eql({
      enabled: true,
      batch_size: 1000,
      mode: 'fast',
      tags: ['c'],
      database: { host: 'db.internal', port: 6432 },
    })
    expect(production?.origins).to.eql({
      enabled: 'default of plugin.toml',
      batch_size: `${FILE}:8:5`,
      mode: 'default of plugin.toml',
      tags: `${FILE}:9:5`,
      'database.host': `${FILE}:5:3`,
      'database.port': `${FILE}:10:17`,
    })
    expect((await compute(text, { environment: 'test' })).config?.effective).to.deep.include({
      batch_size: 50,
    })
  })

  it('takes the common keys where the schema does not declare them, and the plugin sees what the file sets', async () => {
    const debug = await compute('log_level: debug\nverbose: true\n')
    expect(debug.issues).to.eql([])
    expect(debug.config?.common).to.eql({ enabled: true, logLevel: 'debug', verbose: true })
    expect(debug.config?.effective).to.include({ log_level: 'debug', verbose: true, enabled: true })
    const silent = await compute('batch_size: 1\n')
    expect(silent.config?.effective).to.not.have.any.keys('log_level', 'verbose')
    const off = await compute('enabled: false\n', { schema: null })
    expect(off.config?.common.enabled).to.equal(false)
    expect(off.config?.effective).to.eql({ enabled: false })
  })

  it('holds common keys to their kinds', async () => {
    expect(
      await messages('log_level: loud\nverbose: 1\nenvironments: { production: { verbose: no } }\n', {
        allEnvironments: true,
      }),
    ).to.eql([
      '1:12 [log_level] Cannot use "log_level": found "loud", expected one of debug, info, warn, error. Change it, or remove it',
      '2:10 [verbose] Cannot use "verbose": found 1, expected true or false. Change it, or remove it: the default is false',
      '3:40 [environments.production.verbose] Cannot use "verbose": found "no", expected true or false. Change it, or remove it: the default is false',
    ])
  })

  it("lets the schema's own declaration of a common key hold, also behind a reference", async () => {
    const schema = {
      $ref: '#/$defs/base',
      $defs: { base: { properties: { log_level: { enum: ['quiet', 'loud'], default: 'quiet' } } } },
    }
    const { config, issues } = await compute('log_level: loud\n', { schema })
    expect(issues).to.eql([])
    expect(config?.effective).to.eql({ log_level: 'loud' })
    expect(config?.common.logLevel).to.equal(null)
    expect((await compute(null, { schema })).config?.effective).to.eql({ log_level: 'quiet' })
    expect(await messages('log_level: debug\n', { schema })).to.eql([
      '1:12 [log_level] Cannot use "log_level": found "debug", expected one of "quiet", "loud". Change it, or remove it: the default is "quiet"',
    ])
  })

  it('tells every violation by its place, what was found, what was expected and what to do', async () => {
    const text = `batch_sise: 1
batch_size: ten
mode: slow
tags:
  - a
  - 7
database:
  port: 3.5
  user: me
enabled:
`
    expect(await messages(text)).to.eql([
      '1:1 [batch_sise] Cannot use "batch_sise": the configuration of the plugin has no such key. Did you mean "batch_size"?',
      '2:13 [batch_size] Cannot use "batch_size": found "ten", expected a number. Change it, or remove it: the default is 100',
      '3:7 [mode] Cannot use "mode": found "slow", expected one of "fast", "exact". Change it, or remove it: the default is "fast"',
      '6:5 [tags[1]] Cannot use "tags[1]": found 7, expected text. Change it',
      '8:9 [database.port] Cannot use "database.port": found 3.5, expected a whole number. Change it, or remove it: the default is 5432',
      '9:3 [database.user] Cannot use "database.user": the configuration of the plugin has no such key. Remove it, or use one of "host", "port"',
      '10:9 [enabled] Cannot use "enabled": found null, expected true or false. Change it, or remove it: the default is true',
    ])
  })

  it('names what is missing by its kind', async () => {
    const schema = {
      type: 'object',
      required: ['token', 'db'],
      properties: { token: { type: 'string' }, db: { required: ['host'] } },
    }
    expect(await messages('db:\n  port: 1\n', { schema })).to.eql([
      '1:1 [token] Cannot use "token": it is missing, expected text. Write "token: …" into the file',
      '1:1 [db.host] Cannot use "db.host": it is missing, expected a value. Write "host: …" there',
    ])
    expect((await messages(null, { schema }))[0]).to.contain('"token": it is missing')
  })

  it('tells one thing where a choice of shapes failed', async () => {
    const choice = {
      properties: {
        a: { anyOf: [{ type: 'string' }, { type: 'integer' }] },
        b: {
          oneOf: [
            { type: 'object', required: ['kind'], properties: { kind: { const: 1 } } },
            { type: 'null' },
          ],
        },
      },
    }
    expect(await messages('a: []\nb:\n  kind: 2\n', { schema: choice })).to.eql([
      '1:4 [a] Cannot use "a": found a list of 0 entries, expected text or a whole number. Change it',
      '3:9 [b.kind] Cannot use "b.kind": found 2, expected 1. Change it',
    ])
  })

  it('checks every environment of the file where it is asked to, and says the same thing once', async () => {
    const text =
      'mode: slow\nenvironments:\n  production:\n    batch_size: 9000\n  staging:\n    batch_size: 0\n'
    expect(await messages(text, { environment: 'test' })).to.have.length(1)
    const issues = await messages(text, { environment: 'test', allEnvironments: true })
    expect(issues.map((issue) => issue.split(': ')[0])).to.eql([
      '1:7 [mode] Cannot use "mode"',
      '4:17 [environments.production.batch_size] Cannot use "environments.production.batch_size"',
      '6:17 [environments.staging.batch_size] Cannot use "environments.staging.batch_size"',
    ])
  })

  it('warns of an environment whose name is nearly one that is usual', async () => {
    const { config, issues } = await compute('environments:\n  prodution:\n    batch_size: 5\n')
    expect(config).to.not.equal(null)
    expect(issues).to.eql([
      {
        file: FILE,
        line: 2,
        column: 3,
        field: 'environments.prodution',
        severity: 'warning',
        message:
          '"environments.prodution" counts in an environment "prodution" alone. Did you mean "production"?',
      },
    ])
  })

  it('refuses environments that are none', async () => {
    expect(await messages('environments: 3\n')).to.have.length(1)
    expect(
      (await messages('environments:\n  Big One: {}\n  test: 5\n  production: { environments: {} }\n')).map(
        (m) => m.split(' Cannot')[0],
      ),
    ).to.eql([
      '2:3 [environments.Big One]',
      '3:3 [environments.test]',
      '4:17 [environments.production.environments]',
    ])
    const many = Array.from({ length: 33 }, (_, i) => `  e${i}: {}`).join('\n')
    expect((await messages(`environments:\n${many}\n`)).at(0)).to.contain('found 33, expected at most 32')
  })

  const broken: [string, string, RegExp][] = [
    [
      'invalid YAML',
      'a: 1\nb: [1, 2\nc: 3\n',
      /^\d+:\d+ \[\] Cannot read the configuration: it is not YAML, .+ Mend it there$/,
    ],
    [
      'a key that stands twice, anywhere',
      'tags: []\ndatabase:\n  port: 1\n  port: 2\n',
      /^4:3 \[database\.port\] .*stands here twice/,
    ],
    ['a list instead of keys', '- 1\n', /^1:1 \[\] .*expected a map of keys/],
    ['a prototype', '__proto__: { enabled: false }\n', /^1:1 .*"__proto__" is no name/],
    ['a merge key', 'a: &a { b: 1 }\nc:\n  <<: *a\n', /^3:3 .*merge keys are not read/],
    ['a number that JSON cannot hold', 'batch_size: .inf\n', /^1:13 \[batch_size\] .*JSON cannot hold/],
    ['an integer that would be rounded', 'batch_size: 12345678901234567890\n', /^1:13 .*Write it in quotes/],
    [
      'aliases that grow without end',
      `a: &a [x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a]\nc: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b]\nd: [*c, *c, *c, *c, *c, *c, *c, *c]\n`,
      /aliases can't be resolved/,
    ],
    ['an alias of nothing', 'a: *nothing\n', /Unresolved alias|aliases can't be resolved/],
    ['a thousand levels', `a: ${'['.repeat(5000)}${']'.repeat(5000)}`, /nested too deeply|nested deeper/],
    ['a hundred levels', `a: ${'['.repeat(100)}${']'.repeat(100)}`, /nested deeper than 64/],
    ['two documents', 'a: 1\n---\nb: 2\n', /it is not YAML/],
    ['a date of YAML 1.1', '%YAML 1.1\n---\na: 2001-12-14\n', /JSON does not have/],
  ]
  for (const [what, text, words] of broken) {
    it(`refuses ${what} with line and column`, async () => {
      const found = await messages(text, { schema: null })
      expect(found).to.not.be.empty
      expect(found[0]).to.match(words)
    })
  }

  it('quotes foreign text so that it cannot steer a terminal, and shows nothing of what may be a secret', async () => {
    const [mode, token] = await messages('mode: "\\e[31mred"\napi_token: hunter2-is-my-word\n')
    expect(mode).to.contain('"\\u001b[31mred"')
    expect(token).to.contain('found text of 18 characters, expected text that matches "^tk_"')
    expect(token).to.not.contain('hunter2')
  })

  it('lets a reference stand where the schema asks for a pattern, and not where it asks for a number', async () => {
    expect(await messages('api_token: ${env:TOKEN}\n')).to.eql([])
    expect(await messages('batch_size: ${env:SIZE}\n')).to.eql([
      '1:13 [batch_size] Cannot use "batch_size": found text with ${env:SIZE}, expected a number. A reference gives text: write the value itself',
    ])
  })

  it('gives an exploding schema its deadline and goes on', async () => {
    const slow = new SchemaCompiler({ cacheDirectory: path.join(folder, 'slow'), timeoutMs: 500 })
    try {
      const schema = { properties: { a: { type: 'string', pattern: '^(a+)+$' } } }
      const startedAt = performance.now()
      const error = await compute(`a: ${'a'.repeat(40)}!\n`, { schema, checker: slow }).then(
        () => expect.fail('it was accepted'),
        (thrown: PhantomError) => thrown,
      )
      expect(error.code).to.equal('MANIFEST_INVALID')
      expect(error.message).to.contain('takes longer than 500 ms').and.to.not.contain('aaaa')
      expect(performance.now() - startedAt).to.be.below(10_000)
      expect((await compute('a: aaa\n', { schema, checker: slow })).config?.effective).to.eql({ a: 'aaa' })
      const deep = {
        $ref: '#/$defs/a',
        $defs: { a: { properties: { a: { $ref: '#/$defs/a', default: {} } } } },
      }
      const endless = await compute('b: 1\n', { schema: deep, checker: slow }).then(
        () => null,
        (thrown: PhantomError) => thrown.code,
      )
      expect(endless).to.equal('MANIFEST_INVALID')
    } finally {
      await slow.close()
    }
  })

  it('takes an object as the file that would hold it', async () => {
    const file = toConfigFile(FILE, { batch_size: 5, environments: { production: { mode: 'exact' } } })
    expect(
      (await computePluginConfig({ schema: SCHEMA, file, environment: 'production', checker })).config
        ?.effective,
    ).to.include({ batch_size: 5, mode: 'exact' })
  })

  it('reads a file of many keys in no time', async () => {
    const text = Array.from({ length: 20_000 }, (_, i) => `key_${i}: ${i}`).join('\n')
    const startedAt = performance.now()
    const { config } = await compute(text, { schema: null })
    expect(Object.keys(config?.origins ?? {})).to.have.length(20_000)
    expect(performance.now() - startedAt).to.be.below(5000)
  })
})
