import fs from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { expect } from 'chai'
import type { ExecutionProgress } from '../../src/contract/execution.ts'
import { refusalOf, TestDaemon, until } from '../helpers/daemon.ts'
import { served, successorOf } from '../helpers/reloads.ts'

const CONFORMANCE = path.resolve(import.meta.dirname, '../conformance/plugins')
const LIMITS = `
[resource_limits]
max_memory_mb = 32
max_execution_time_ms = 2000
`

for (const language of ['assemblyscript', 'c']) {
  const id = `conformance_${language}`

  describe(`A guest in ${language}, in its sandbox`, function () {
    this.timeout(60_000)
    let daemon: TestDaemon
    let server: http.Server
    const call = async (operation: string, input?: object) => await daemon.call(id, operation, input)

    before(async () => {
      server = http.createServer((_request, response) => response.writeHead(201).end('hello there'))
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      const { port } = server.address() as AddressInfo
      const folder = path.join(CONFORMANCE, language)
      const rights = `"fs_read:./given", "fs_write:./out", "env:GREETING", "network:127.0.0.1:${port}"`
      const manifest = fs.readFileSync(path.join(folder, 'plugin.toml'), 'utf8')
      daemon = await TestDaemon.start({
        config: 'reload: {debounce_ms: 20}\nexecution: {cancel_grace_ms: 300}\n',
        environment: { GREETING: 'grüezi' },
        files: {
          [`plugins/${id}/plugin.toml`]: `${manifest}${LIMITS}[permissions]\npermissions = [${rights}]\n`,
          [`plugins/${id}/plugin.wasm`]: fs.readFileSync(path.join(folder, 'plugin.wasm')),
          'given/a.txt': 'größer\n"2"',
          'out/.keep': '',
        },
      })
      if (process.getuid?.() === 0) fs.chmodSync(daemon.world.path('out'), 0o777)
      await daemon.approve(id)
    })
    after(async () => {
      await daemon.stop()
      server.close()
    })

    it('reads, writes, fetches and sees what it was granted', async () => {
      expect((await call('read_file', { path: 'given/a.txt' })).result).to.deep.equal({ text: 'größer\n"2"' })
      expect((await call('write_file', { path: 'out/b.txt', text: 'wörds' })).result).to.deep.equal({
        bytes: 6,
      })
      expect(fs.readFileSync(daemon.world.path('out/b.txt'), 'utf8')).to.equal('wörds')
      expect((await call('read_env', { name: 'GREETING' })).result).to.deep.equal({ value: 'grüezi' })
      expect((await call('read_env', { name: 'HOME' })).result).to.deep.equal({ value: null })
      const { port } = server.address() as AddressInfo
      const fetched = await call('fetch_url', { url: `http://127.0.0.1:${port}/` })
      expect(fetched.result).to.deep.equal({ status: 201, text: 'hello there' })
    })

    for (const [operation, input, missing] of [
      ['read_file', { path: '/etc/passwd' }, 'fs_read:/etc/passwd'],
      ['write_file', { path: 'given/a.txt', text: '' }, 'fs_write:./given/a.txt'],
    ] as const) {
      it(`is refused ${missing} by name`, async () => {
        const error = await daemon.refusal(id, operation, input)
        expect(error.code).to.equal('PERMISSION_DENIED')
        expect(error.details['missing']).to.deep.equal([missing])
      })
    }

    it('tells of its work', async () => {
      expect((await call('log', { level: 'warn', message: 'mind "this"' })).logs).to.deep.equal([
        'warn: mind "this"',
      ])
      const seen: (number | null)[] = []
      await daemon.call(
        id,
        'report_progress',
        { steps: 4 },
        {
          on_progress: ({ fraction }: ExecutionProgress) => void seen.push(fraction),
        },
      )
      expect(seen.at(-1)).to.equal(1)
    })

    it('sleeps, and is cancelled while it waits', async () => {
      expect((await call('sleep', { duration_ms: 5 })).result).to.deep.equal({ slept_ms: 5 })
      const pid = await daemon.pidOf(id)
      for (const [operation, input] of [
        ['sleep', { duration_ms: 60_000 }],
        ['wait_for_cancel', {}],
      ] as const) {
        const cancelled = new AbortController()
        const refused = refusalOf(daemon.call(id, operation, input, { signal: cancelled.signal }))
        await until(async () => (await daemon.info(id)).instances[0]?.calls_in_flight === 1, operation)
        cancelled.abort()
        expect((await refused).code).to.equal('CALL_CANCELLED')
      }
      expect((await call('echo', { still: 'here' })).result).to.deep.equal({ still: 'here' })
      expect(await daemon.pidOf(id), 'in the same process').to.equal(pid)
    })

    it('fails in its own words, and serves the next call', async () => {
      const { success, error } = await call('panic', { message: 'I give up: "no"' })
      expect({ success, error }).to.deep.equal({ success: false, error: 'I give up: "no"' })
      expect((await call('word_count', { text: 'still there' })).result).to.deep.equal({
        words: 2,
        chars: 11,
      })
    })

    it('is ended at its limits by their names, and serves the next call', async () => {
      for (const [operation, limit] of [
        ['grow', 'max_memory_mb'],
        ['spin', 'max_execution_time_ms'],
      ] as const) {
        const error = await daemon.refusal(id, operation)
        expect(error.code, operation).to.equal('LIMIT_EXCEEDED')
        expect(error.details, operation).to.deep.include({ limit })
        expect((await call('word_count', { text: 'still there' })).success).to.equal(true)
      }
    })

    it('says how it is, vetoes a configuration, and hands its state over', async () => {
      const { count } = (await call('count')).result as { count: number }
      const { reported } = await daemon.system.get_plugin_health(id)
      expect(reported).to.deep.equal([
        { workspace: daemon.world.folder, health: { healthy: true }, problem: null },
      ])
      const veto = await refusalOf(daemon.system.update_plugin_config(id, { depth: 11 }))
      expect(veto.code).to.equal('CONFIG_INVALID')
      expect(veto.message).to.include('depth must be at most 10')
      const { generation } = await served(daemon, id)
      await daemon.system.reload_plugin(id)
      await successorOf(daemon, id, generation)
      expect((await call('count')).result).to.deep.equal({ count: count + 1 })
    })
  })
}
