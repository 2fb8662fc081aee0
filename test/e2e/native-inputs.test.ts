import fs from 'node:fs'
import { expect } from 'chai'
import { isPhantomError } from '../../src/contract/phantom-error.ts'
import { TestDaemon, until } from '../helpers/daemon.ts'
import { needPython } from '../helpers/native-programs.ts'
import { skipBecause } from '../helpers/skip.ts'
import { addSections } from '../helpers/supervised.ts'

const OPERATION = `
[[operations]]
name = "echo"

[operations.input_schema]
type = "object"
required = ["name"]
additionalProperties = false

[operations.input_schema.properties.name]
type = "string"
maxLength = 8

[operations.input_schema.properties.times]
type = "integer"
default = 3

[operations.input_schema.properties.slow]
type = "string"
pattern = "^(a+)+$"
`
const PLAIN = '\n[[operations]]\nname = "count"\n\n[[operations]]\nname = "tick"\n'

/** Each to both plugins, and both must answer the same. */
const INPUTS: readonly unknown[] = [
  { name: 'Ada' },
  { name: 'Ada', times: 1 },
  { name: '𝒜𝒹𝒶12345' },
  { name: '𝒜𝒹𝒶123456' },
  { nam: 'Ada' },
  {},
  { name: 7 },
  { name: 'Ada', times: 1.5 },
  { name: 'Ada', times: 'three' },
  null,
  [],
  'x',
  undefined,
]

describe('The input of a native plugin', function () {
  this.timeout(60_000)
  let daemon: TestDaemon

  before(needPython)
  before(async function () {
    daemon = await TestDaemon.start({
      plugins: ['native-python as native', 'native-python as beside'],
      prepare: (world) => {
        addSections(world, 'native', `${OPERATION}${PLAIN}`)
        world.addManifest('javascript', OPERATION)
        world.write(
          'plugins/javascript/index.js',
          'export default { operations: { echo: (input) => input } }\n',
        )
      },
    })
    if ((await daemon.system.get_status()).tier !== 'namespace') {
      await daemon.stop()
      skipBecause.call(this, 'native plugins need namespaces')
    }
  })
  after(async () => {
    if (daemon !== undefined) await daemon.stop()
  })

  async function verdict(id: string, input: unknown): Promise<unknown> {
    try {
      const { success, result, error } = await daemon.call(id, 'echo', input)
      return { success, result, error }
    } catch (error) {
      if (!isPhantomError(error)) throw error
      return { code: error.code, message: error.message.replaceAll(id, 'ID'), details: error.details }
    }
  }

  for (const input of INPUTS) {
    it(`is judged as that of a JavaScript plugin is: ${JSON.stringify(input)}`, async () => {
      const native = await verdict('native', input)
      expect(native).to.deep.equal(await verdict('javascript', input))
      expect(native).to.satisfy(
        (one: { code?: string; success?: boolean }) => one.code === 'INPUT_INVALID' || one.success === true,
      )
    })
  }

  it('with the defaults of its schema is what the plugin gets', async () =>
    expect((await daemon.call('native', 'echo', { name: 'Ada' })).result).to.deep.equal({
      name: 'Ada',
      times: 3,
    }))

  it('is not looked at where no schema is declared', async () =>
    expect((await daemon.call('native', 'count', 'a b')).result).to.deep.equal({ words: 2, characters: 3 }))

  it('that can be checked for ever is refused, and holds nobody up', async () => {
    const slow = daemon.refusal('native', 'echo', { name: 'Ada', slow: `${'a'.repeat(40)}!` })
    expect((await daemon.call('beside', 'echo', 1)).result).to.equal(1)
    const error = await slow
    expect(error.code).to.equal('INPUT_INVALID')
    expect(error.message).to.match(/checking it takes longer than 2000 ms/)
    expect((await daemon.call('native', 'echo', { name: 'Ada' })).success).to.equal(true)
  })

  it('waits no longer for its check than its caller does, and a cancelled one is forgotten', async () => {
    const input = { name: 'Ada', slow: `${'a'.repeat(40)}!` }
    const late = await daemon.refusal('native', 'echo', input, { timeout_ms: 200 })
    expect(late.code).to.equal('CALL_TIMEOUT')
    const controller = new AbortController()
    const cancelled = daemon.refusal('native', 'echo', input, { signal: controller.signal })
    controller.abort()
    expect((await cancelled).code).to.equal('CALL_CANCELLED')
    await until(async () => (await daemon.call('native', 'echo', { name: 'Ada' })).success, 'the next answer')
    const { queue } = await daemon.system.get_plugin_health('native')
    expect([queue.waiting, queue.in_flight]).to.deep.equal([0, 0])
  })

  it('is checked for many calls at once, as many as run at once', async () => {
    const calls = Array.from({ length: 60 }, (_, at) =>
      daemon.call('native', 'echo', { name: `n${at}`, times: at }),
    )
    const results = (await Promise.all(calls)).map(({ result }) => result)
    expect(results).to.deep.equal(Array.from({ length: 60 }, (_, at) => ({ name: `n${at}`, times: at })))
  })

  it('is held to the schema of the generation that gets it', async () => {
    const file = daemon.world.path('plugins/native/plugin.toml')
    fs.writeFileSync(file, fs.readFileSync(file, 'utf8').replace('maxLength = 8', 'maxLength = 4'))
    await daemon.system.reload_plugin('native')
    expect((await daemon.refusal('native', 'echo', { name: 'Adas!' })).code).to.equal('INPUT_INVALID')
    expect((await daemon.call('native', 'echo', { name: 'Ada' })).success).to.equal(true)
  })
})
