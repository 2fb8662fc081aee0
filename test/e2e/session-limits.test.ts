import fs from 'node:fs'
import { expect } from 'chai'
import type { PluginLogLine } from '../../src/index.ts'
import { line, type RawClient } from '../helpers/raw-client.ts'
import { refusalOf, TestDaemon, until } from '../helpers/daemon.ts'

const MIB = 1024 * 1024

describe('A session at its limits', () => {
  let daemon: TestDaemon

  before(async () => {
    daemon = await TestDaemon.start({
      plugins: ['echoes', 'echoes as second'],
      config: 'limits:\n  max_payload_mb: 64\n',
      // Two answers of 40 MB at once stand there as text and as bytes.
      prepare: (world) => {
        for (const id of ['echoes', 'second'])
          fs.appendFileSync(
            world.path('plugins', id, 'plugin.toml'),
            '\n[resource_limits]\nmax_memory_mb = 512\n',
          )
      },
    })
  })
  after(() => daemon.stop())

  it('goes on when both ends have more to say than either takes at once', async () => {
    const answers = [1, 2].map(() => daemon.call<string>('second', 'letters', 40 * MIB))
    const inputs = [1, 2].map(() => daemon.call<string>('echoes', 'kind', { text: 'x'.repeat(40 * MIB) }))
    expect((await Promise.all(answers)).map(({ result }) => result!.length)).to.deep.equal([
      40 * MIB,
      40 * MIB,
    ])
    expect((await Promise.all(inputs)).map(({ success }) => success)).to.deep.equal([true, true])
    expect((await daemon.call('echoes', 'echo', 'small')).result).to.equal('small')
  })

  it('refuses an input that is too large in words, and keeps its other calls', async () => {
    const other = daemon.call('echoes', 'wait', 200)
    const error = await refusalOf(daemon.call('echoes', 'echo', 'x'.repeat(64 * MIB)))
    expect(error.code).to.equal('PAYLOAD_TOO_LARGE')
    expect(error.details).to.deep.equal({ limit: 64 * MIB, measured: 64 * MIB + 2 })
    expect((await other).success).to.equal(true)
  })

  it('answers a call with empty names', async () => {
    expect((await refusalOf(daemon.call('', ''))).code).to.equal('PARAMS_INVALID')
  })

  it('gives each follower of a log its own lines until that one stops', async () => {
    const seen: Record<string, string[]> = { echoes: [], second: [] }
    const stops = Object.fromEntries(Object.keys(seen).map((id) => [id, new AbortController()]))
    for (const [id, stop] of Object.entries(stops)) {
      await daemon.system.get_plugin_logs({
        plugin_id: id,
        lines: 0,
        on_line: (one: PluginLogLine) => seen[id]!.push(one.plugin_id),
        signal: stop.signal,
      })
    }
    for (const id of Object.keys(seen)) await daemon.call(id, 'say', 'hello')
    await until(() => seen['echoes']!.length > 0 && seen['second']!.length > 0, 'a line for each')
    stops['echoes']!.abort()
    const before = seen['echoes']!.length
    for (const id of Object.keys(seen)) await daemon.call(id, 'say', 'again')
    await until(() => seen['second']!.length > 1, 'the second line of the other')
    expect(seen['echoes']).to.deep.equal(Array.from({ length: before }, () => 'echoes'))
    expect(new Set(seen['second'])).to.deep.equal(new Set(['second']))
    stops['second']!.abort()
  })

  it('takes no request out of a payload when an input comes twice', async () => {
    const client: RawClient = await daemon.connect()
    await client.handshake()
    const hidden = line({ id: 99, method: 'get_status', params: {} })
    const params = { plugin_id: 'echoes', operation: 'echo', input: { a: 1 } }
    client.send(line({ id: 5, method: 'execute_plugin', params, payload_bytes: hidden.length }), hidden)
    await until(() => client.isClosed, 'the end of the connection')
    expect(client.messages.some(({ id }) => id === 99)).to.equal(false)
    expect(JSON.stringify(client.messages)).to.contain('comes twice')
  })
})
