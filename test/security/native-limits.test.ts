import fs from 'node:fs'
import path from 'node:path'
import { expect } from 'chai'
import type { PhantomError } from '../../src/contract/phantom-error.ts'
import { TestDaemon, until } from '../helpers/daemon.ts'
import { canCompile, compile, needGcc } from '../helpers/native-programs.ts'
import { skipBecause } from '../helpers/skip.ts'

const SOURCE = fs.readFileSync(path.resolve(import.meta.dirname, '../fixtures/native/plugin.c'), 'utf8')
const LIMITS = `[resource_limits]
max_memory_mb = 64
max_processes = 24
max_open_files = 40
max_file_size_mb = 3
max_disk_mb = 100
max_cpu_time_ms = 500
max_execution_time_ms = 20000
`

describe('A native plugin in C meets the limits of its manifest', function () {
  this.timeout(60_000)
  let daemon: TestDaemon

  before(needGcc)
  before(async function () {
    daemon = await TestDaemon.start({
      files: Object.fromEntries(
        ['plain', 'static'].map((id) => [`plugins/${id}/plugin.toml`, manifest(id)] as const),
      ),
      config: 'breaker: {min_calls: 10000}\nrestart: {backoff_max_ms: 50}\n',
      prepare: (world) => {
        compile(world.path('plugins/plain/main'), SOURCE, ['-O1', '-pthread'])
        const isStatic = canCompile(world.folder, ['-static'])
        compile(world.path('plugins/static/main'), SOURCE, [
          '-O1',
          '-pthread',
          ...(isStatic ? ['-static'] : []),
        ])
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

  const call = async (operation: string, input?: unknown, id = 'plain'): Promise<unknown> =>
    (await daemon.call(id, operation, input)).result
  const failure = async (operation: string, input?: unknown): Promise<string | null> =>
    (await daemon.call('plain', operation, input)).error

  async function limitOf(operation: string, input?: unknown): Promise<PhantomError> {
    await until(async () => (await daemon.call('plain', 'echo', 1)).success, 'a process')
    const error = await daemon.refusal('plain', operation, input)
    expect(error.code, error.message).to.equal('LIMIT_EXCEEDED')
    return error
  }

  for (const id of ['plain', 'static'])
    it(`answers where it is ${id === 'plain' ? 'dynamic' : 'static'}`, async () =>
      expect(await call('echo', { a: [1, 'b'] }, id)).to.deep.equal({ a: [1, 'b'] }))

  it('memory: it gets what it may have, and some of that of its base', async () => {
    expect(await call('hold', 40)).to.equal(40)
    expect(await call('hold', 400)).to.be.within(10, 40)
  })

  for (const [operation, how] of [
    ['grow_null', 'writes where malloc gave nothing'],
    ['grow_large', 'does so after large pieces'],
    ['grow_abort', 'aborts'],
    ['grow_exit', 'exits'],
    ['grow_map', 'maps memory by itself'],
  ] as const) {
    it(`memory: one that ${how} when there is none left is told apart from a crash`, async () => {
      const { details } = await limitOf(operation)
      expect(details).to.deep.include({ limit: 'max_memory_mb', declared: 64 })
      expect((await daemon.info('plain')).last_exit?.class).to.equal('oom')
    })
  }

  it('memory: a crash without it stays a crash', async () => {
    await until(async () => (await daemon.call('plain', 'echo', 1)).success, 'a process')
    const error = await daemon.refusal('plain', 'crash')
    expect(error.code).to.equal('PLUGIN_CRASHED')
    expect(error.details).to.deep.include({ exit_class: 'crash' })
  })

  it('memory: shared memory and growing stacks, which the limit would not count, are closed', async () => {
    expect(await failure('shared_memory')).to.match(/not permitted/)
    expect(await failure('grows_down')).to.match(/not permitted/)
  })

  it('no limit can be raised', async () => expect(await failure('raise_limit')).to.match(/not permitted/))

  it('threads: as many as max_processes allows, and the one beyond is told', async () => {
    expect(await call('threads', 16)).to.equal(16)
    expect(await call('threads', 100)).to.be.within(18, 23)
    expect(await failure('thread_bomb')).to.match(/temporarily unavailable.*its limit max_processes is 24/)
  })

  it('processes: none can be started, by fork or past the library', async () => {
    expect(await failure('fork_bomb')).to.match(/not permitted/)
    expect(await failure('raw_clone')).to.match(/not permitted/)
  })

  it('processor time: all threads together', async () => {
    const { details } = await limitOf('spin_threads')
    expect(details).to.deep.include({ limit: 'max_cpu_time_ms', declared: 500 })
  })

  it('open files', async () => {
    const { details } = await limitOf('descriptors')
    expect(details).to.deep.include({ limit: 'max_open_files', declared: 40 })
  })

  it('the size of a file', async () => {
    for (const operation of ['file_of', 'file_without_end']) {
      const { details } = await limitOf(operation)
      expect(details, operation).to.deep.equal({ limit: 'max_file_size_mb', declared: 3, measured: 3 })
    }
  })
})

function manifest(id: string): string {
  return `[plugin]\nid = "${id}"\nname = "N"\nversion = "1.0.0"\ntype = "native"\nentry_point = "main"\n\n${LIMITS}`
}
