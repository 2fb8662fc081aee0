import { expect } from 'chai'
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { computePluginConfig } from '../../../../host/config/plugin/compute-plugin-config.ts'
import { resolveSecrets, type SecretSources } from '../../../../host/config/plugin/resolve-secrets.ts'
import { SchemaCompiler } from '../../../../host/validation/schema-compiler.ts'
import type { PhantomError } from '../../../../src/contract/phantom-error.ts'

const SECRET = 'tk_hunter2 "quoted" & more/+?'

describe('resolveSecrets()', function () {
  this.timeout(30_000)
  const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-secrets-')))
  const checker = new SchemaCompiler({ cacheDirectory: path.join(folder, 'schemas') })
  const secretFile = path.join(folder, 'token')
  before(() => fs.writeFileSync(secretFile, `${SECRET}\n`))
  after(async () => {
    await checker.close()
    fs.rmSync(folder, { recursive: true, force: true })
  })

  async function resolve(
    text: string | null,
    schema: Record<string, unknown> | null,
    more: Partial<SecretSources> = {},
  ) {
    const file = { path: 'x.yaml', text }
    const { config, issues } = await computePluginConfig({ schema, file, environment: 'test', checker })
    if (config === null) throw new Error(issues.map(({ message }) => message).join('\n'))
    const sources = {
      pluginId: 'x',
      schema,
      checker,
      variables: { TOKEN: SECRET, EMPTY: '' },
      refuseFile: () => null,
      ...more,
    }
    return { shown: config.effective, ...(await resolveSecrets(config, sources)) }
  }
  const refusal = async (...args: Parameters<typeof resolve>): Promise<PhantomError> =>
    await resolve(...args).then(
      () => expect.fail('it was accepted'),
      (error: PhantomError) => error,
    )

  it('puts values of variables and files in, whole or inside of a text, and shows the reference', async () => {
    const text = `url: https://me:\${env:TOKEN}@host/\${env:TOKEN}\nlist: [a, "\${file:${secretFile}}"]\nlevel: { deep: "\${env:EMPTY}" }\n`
    const { config, secrets, shown } = await resolve(text, null)
    expect(config).to.eql({
      url: `https://me:${SECRET}@host/${SECRET}`,
      list: ['a', SECRET],
      level: { deep: '' },
    })
    expect(secrets).to.eql([SECRET])
    expect(JSON.stringify(shown)).to.contain('${env:TOKEN}').and.to.not.contain('hunter2')
  })

  it('leaves alone what is no reference, and what has a second dollar sign', async () => {
    const { config, secrets } = await resolve('a: $TOKEN ${TOKEN} ${ENV:TOKEN}\nb: $${env:TOKEN}\n', null)
    expect(config).to.eql({ a: '$TOKEN ${TOKEN} ${ENV:TOKEN}', b: '${env:TOKEN}' })
    expect(secrets).to.eql([])
  })

  it("reads nothing for a reference in a plugin's own default", async () => {
    const schema = {
      properties: {
        stolen: { type: 'string', default: '${env:TOKEN}' },
        file: { type: 'string', default: `\${file:${secretFile}}` },
        mine: { type: 'string' },
        inner: { type: 'object', properties: { stolen: { default: '${env:TOKEN}' } } },
      },
    }
    const { config, secrets } = await resolve('mine: ${env:OTHER}\ninner: {}\n', schema, {
      variables: { TOKEN: SECRET, OTHER: 'other-value' },
    })
    expect(config).to.eql({
      stolen: '${env:TOKEN}',
      file: `\${file:${secretFile}}`,
      mine: 'other-value',
      inner: { stolen: '${env:TOKEN}' },
    })
    expect(secrets).to.eql(['other-value'])
    expect((await resolve(null, schema)).config).to.include({ stolen: '${env:TOKEN}' })
  })

  it('names key, place and reference of everything that is missing', async () => {
    const fifo = path.join(folder, 'fifo')
    execFileSync('mkfifo', [fifo])
    fs.writeFileSync(path.join(folder, 'large'), 'x'.repeat(64 * 1024 + 1))
    fs.writeFileSync(path.join(folder, 'binary'), Buffer.from([0xff, 0xfe, 0x00]))
    const references = [
      '${env:NONE}',
      '${env:toString}',
      '${env:A-B}',
      '${file:token}',
      `\${file:${folder}/none}`,
      `\${file:${folder}}`,
      `\${file:${fifo}}`,
      `\${file:${folder}/large}`,
      `\${file:${folder}/binary}`,
    ]
    const error = await refusal(references.map((reference, i) => `k${i}: "${reference}"\n`).join(''), null)
    expect(error.code).to.equal('CONFIG_INVALID')
    const issues = error.details['issues'] as {
      line: number
      column: number
      field: string
      message: string
    }[]
    expect(issues.map(({ line, column, field }) => [line, column, field])).to.eql(
      references.map((_, i) => [i + 1, 5, `k${i}`]),
    )
    const words = [
      /no such variable\. Set it/,
      /no such variable/,
      /no name of a variable/,
      /no absolute path/,
      /it is not there \(ENOENT\)/,
      /no regular file/,
      /no regular file/,
      /at most 65536 are allowed/,
      /not UTF-8/,
    ]
    for (const [i, pattern] of words.entries())
      expect(issues[i]?.message).to.match(pattern).and.to.contain(`"k${i}"`)
    expect(error.message).to.contain('… and 4 more')
  })

  it('asks the policy with the real path, behind symbolic links', async () => {
    const link = path.join(folder, 'link')
    fs.symlinkSync(secretFile, link)
    const asked: string[] = []
    const refuseFile = (realPath: string) => {
      asked.push(realPath)
      return 'it lies where a plugin may write'
    }
    const error = await refusal(`a: "\${file:${link}}"\n`, null, { refuseFile })
    expect(asked).to.eql([secretFile])
    expect(error.message)
      .to.contain('cannot be read: it lies where a plugin may write')
      .and.to.not.contain('hunter2')
  })

  it('checks what the secret makes by the schema, and tells nothing of it', async () => {
    const schemas: Record<string, unknown>[] = [
      { type: 'string', pattern: '^sk_' },
      { type: 'string', maxLength: 5 },
      { enum: ['a', 'b'] },
      { const: 'c' },
      { anyOf: [{ const: 'a' }, { type: 'integer' }] },
      { not: { type: 'string' } },
      { type: 'string', minLength: 500 },
    ]
    for (const schema of schemas) {
      const error = await refusal('key: ${env:TOKEN}\n', { properties: { key: schema } })
      expect(error.code, JSON.stringify(schema)).to.equal('CONFIG_INVALID')
      expect(error.message).to.contain('x.yaml:1:6: Cannot use "key": found text with ${env:TOKEN}, expected')
      expect(JSON.stringify([error.message, error.details])).to.not.match(/hunter2|quoted/)
    }
    const fits = {
      properties: { key: { type: 'string', pattern: '^tk_', minLength: 10 } },
      additionalProperties: false,
    }
    expect((await resolve('key: ${env:TOKEN}\nverbose: true\n', fits)).config).to.eql({
      key: SECRET,
      verbose: true,
    })
  })
})
