import fs from 'node:fs'
import path from 'node:path'
import { expect } from 'chai'
import { BUILD_TIMEOUT_MS, CONFORMANCE, openCargo } from '../helpers/cargo.ts'
import { TestDaemon } from '../helpers/daemon.ts'
import { served, successorOf } from '../helpers/reloads.ts'
import { skipBecause } from '../helpers/skip.ts'
import { buildSpecificationPlugin } from '../helpers/specification-plugin.ts'

const PLUGINS = path.resolve(import.meta.dirname, '../conformance/plugins')
const IDS = { native: 'conformance_rust', module: 'conformance_rust_wasm' } as const
const GRANTS = `
[permissions]
permissions = ["fs_read:./given", "fs_write:./out", "env:GREETING"]

[resource_limits]
max_memory_mb = 48
max_cpu_time_ms = 700

[configuration]
type = "object"
properties = { depth = { type = "integer", default = 1 } }
`

describe('A plugin in Rust', function () {
  this.timeout(60_000)
  let daemon: TestDaemon | null = null

  before(async function () {
    const cargo = await openCargo(this)
    this.timeout(BUILD_TIMEOUT_MS)
    await cargo.run(CONFORMANCE, 'build', '--release', '--quiet')
    const program = fs.readFileSync(path.join(cargo.built, 'main'))
    const ofTheSpecification = await buildSpecificationPlugin(cargo)
    daemon = await TestDaemon.start({
      environment: { GREETING: 'hi', NOT_GIVEN: 'no' },
      config: 'reload: {debounce_ms: 20}\nexecution: {cancel_grace_ms: 500}\n',
      files: { 'given/a.txt': 'given', 'secret.txt': 'secret' },
      prepare: (world) => {
        fs.mkdirSync(world.path('out'))
        fs.chmodSync(world.path('out'), 0o777)
        for (const [folder, id] of [
          ['rust', IDS.native],
          ['rust-wasm', IDS.module],
        ] as const) {
          const manifest = fs.readFileSync(path.join(PLUGINS, folder, 'plugin.toml'), 'utf8')
          world.write(`plugins/${id}/plugin.toml`, manifest + GRANTS)
        }
        world.write(`plugins/${IDS.native}/main`, program)
        fs.chmodSync(world.path('plugins', IDS.native, 'main'), 0o755)
        fs.copyFileSync(
          path.join(PLUGINS, 'rust-wasm/plugin.wasm'),
          world.path('plugins', IDS.module, 'plugin.wasm'),
        )
        fs.cpSync(ofTheSpecification, world.path('plugins/my_custom_plugin'), { recursive: true })
      },
    })
    if ((await daemon.system.get_status()).tier !== 'namespace')
      skipBecause.call(this, 'native plugins need namespaces')
    for (const id of [...Object.values(IDS), 'my_custom_plugin']) await daemon.approve(id)
  })
  after(() => daemon?.stop())

  it('of the specification runs with its plugin.toml as both stand there', async () => {
    const { success, result } = await daemon!.call('my_custom_plugin', 'process', { rows: [1] })
    expect(success).to.equal(true)
    expect(result).to.deep.equal({ message: 'Hello from custom plugin!', input_received: { rows: [1] } })
    const { reported } = await daemon!.info('my_custom_plugin')
    expect(reported?.metadata).to.include({ name: 'My Custom Plugin', author: 'Your Name' })
  })

  for (const [kind, id] of Object.entries(IDS)) {
    describe(`as a ${kind}`, () => {
      const call = async (operation: string, input?: unknown): Promise<unknown> =>
        (await daemon!.call(id, operation, input)).result
      const refusal = async (operation: string, input?: unknown) => daemon!.refusal(id, operation, input)

      it('answers, also what is large', async () => {
        const text = 'ö'.repeat(1_000_000)
        expect(await call('word_count', { text })).to.deep.equal({ words: 1, chars: 1_000_000 })
        expect(await call('echo', text)).to.equal(text)
        expect((await refusal('dance')).code).to.equal('OPERATION_NOT_FOUND')
      })

      it('reads, writes and knows what was granted, and is told the line for what was not', async () => {
        expect(await call('read_file', { path: 'given/a.txt' })).to.deep.equal({ text: 'given' })
        expect(await call('write_file', { path: `out/${kind}`, text: 'written' })).to.deep.equal({ bytes: 7 })
        expect(fs.readFileSync(daemon!.world.path('out', kind), 'utf8')).to.equal('written')
        expect(await call('read_env', { name: 'GREETING' })).to.deep.equal({ value: 'hi' })
        expect(await call('read_env', { name: 'NOT_GIVEN' })).to.deep.equal({ value: null })
        const denied = [
          ['read_file', { path: 'secret.txt' }, 'fs_read:./secret.txt'],
          ['read_file', { path: '/etc/hostname' }, 'fs_read:/etc/hostname'],
          ['write_file', { path: 'given/b.txt', text: '' }, 'fs_write:./given/b.txt'],
          ['fetch_url', { url: 'http://a.example/' }, 'network:a.example'],
        ] as const
        for (const [operation, input, missing] of denied) {
          const { code, details } = await refusal(operation, input)
          expect([code, details['missing']], operation).to.deep.equal(['PERMISSION_DENIED', [missing]])
        }
      })

      it('fails in its words where it panics, and where a granted file is missing', async () => {
        const panicked = await daemon!.call(id, 'panic', { message: 'the lamp fell' })
        expect([panicked.success, panicked.error]).to.deep.equal([false, 'the lamp fell'])
        const { success, error } = await daemon!.call(id, 'read_file', { path: 'given/none.txt' })
        expect(success).to.equal(false)
        expect(error).to.match(/^ENOENT: no such file or directory, open '.*given\/none\.txt'$/)
      })

      it('is held to its limits by name', async () => {
        const grown = await refusal('grow')
        expect([grown.code, grown.details['limit']]).to.deep.equal(['LIMIT_EXCEEDED', 'max_memory_mb'])
        const spun = await refusal('spin')
        expect([spun.code, spun.details['limit']]).to.deep.equal(['LIMIT_EXCEEDED', 'max_cpu_time_ms'])
      })

      it('hears that it is cancelled, tells how far it is, and logs to its call', async () => {
        await call('echo')
        const pid = await daemon!.pidOf(id)
        const started = await daemon!.refusal(id, 'wait_for_cancel', null, { timeout_ms: 200 })
        expect(started.code).to.equal('CALL_TIMEOUT')
        const seen: unknown[] = []
        const options = { on_progress: ({ fraction }: { fraction: number | null }) => seen.push(fraction) }
        await daemon!.call(id, 'report_progress', { steps: 4 }, options)
        expect(seen.at(-1)).to.equal(1)
        const { warnings } = await daemon!.call(id, 'log', { level: 'warn', message: 'look' })
        expect(warnings).to.deep.equal(['look'])
        expect(await daemon!.pidOf(id)).to.equal(pid)
      })

      it('vetoes a configuration, and hands its state over', async () => {
        const { valid, issues } = await daemon!.system.validate_plugin_config(id, { depth: 11 })
        expect(valid).to.equal(false)
        expect(JSON.stringify(issues)).to.contain('depth must be at most 10')
        const { count } = (await call('count')) as { count: number }
        const { generation } = await served(daemon!, id)
        await daemon!.system.reload_plugin(id)
        await successorOf(daemon!, id, generation)
        expect(await call('count')).to.deep.equal({ count: count + 1 })
      })
    })
  }
})
