import { expect } from 'chai'
import fs from 'node:fs'
import type { ExecutionProgress } from '../../src/contract/execution.ts'
import { refusalOf, TestDaemon, until, type ExecuteOptions } from '../helpers/daemon.ts'
import { served, successorOf } from '../helpers/reloads.ts'
import { readyPid, standbyPid } from '../helpers/supervised.ts'
import { wasmPlugin } from '../helpers/wasm-plugin.ts'
import { leb } from '../helpers/wasm-module.ts'
import { watGuest, type WatGuest } from '../helpers/wat-guest.ts'

/** Its input is a host call, to which it puts the newline; its result what the host answered. */
const ASKS: WatGuest = {
  callsHost: true,
  execute: `(i32.store8 (i32.add (local.get $payload) (local.get $length)) (i32.const 10))
    (local.set $length (i32.add (local.get $length) (i32.const 1)))
    (local.set $r (call $call (local.get $payload) (local.get $length)))
    (call $result (i32.wrap_i64 (i64.shr_u (local.get $r) (i64.const 32))) (i32.wrap_i64 (local.get $r)))`,
}
const TRAPS_ON_MORE = `(if (i32.gt_u (local.get $length) (i32.const 1)) (then unreachable))
  (call $result (local.get $payload) (local.get $length))`

/** Counts its calls, one digit; a new generation goes on where the one before ended. */
const COUNTS: WatGuest = {
  initialize: '"operations":["echo"],"hooks":["export_state","health","validate_config","configure"]',
  texts: { count: '{"count":0}' },
  answers: {
    health: '{"health":{"status":"healthy","queue":3}}',
    validate_config: '{"veto":"depth must be at least 1"}',
    configure: '{"applied":true}',
    export_state: '{"state":{"count":0}}',
  },
  more: `(func $digit (param $at i32) (param $n i32) (result i32)
    (i32.sub (i32.add (local.get $at) (local.get $n)) (i32.const 2)))
    (func $digit_of_count (result i32) (call $digit (call $text_count)))
    (func $digit_of_state (result i32) (i32.sub (call $digit (call $text_export_state)) (i32.const 3)))`,
  // "count": is eight bytes.
  onInitialize: `(local.set $a (local.get $at))
    (loop $look
      (if (i64.eq (i64.load (local.get $a)) (i64.const 0x3a22746e756f6322))
        (then (i32.store8 (call $digit_of_count) (i32.load8_u (i32.add (local.get $a) (i32.const 8))))))
      (local.set $a (i32.add (local.get $a) (i32.const 1)))
      (br_if $look (i32.lt_u (local.get $a) (i32.sub (i32.add (local.get $at) (local.get $n)) (i32.const 9)))))`,
  execute: `(i32.store8 (call $digit_of_count) (i32.add (i32.load8_u (call $digit_of_count)) (i32.const 1)))
    (i32.store8 (call $digit_of_state) (i32.load8_u (call $digit_of_count)))
    (call $result (call $text_count))`,
}

/** Prints its input without its quotes, and traps where that is more than a few letters. */
const PRINTS: WatGuest = {
  imports:
    '(import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))',
  execute: `(i32.store (i32.const 60000) (i32.add (local.get $payload) (i32.const 1)))
    (i32.store (i32.const 60004) (i32.sub (local.get $length) (i32.const 2)))
    (i32.store8 (i32.const 60016) (i32.const 10))
    (i32.store (i32.const 60008) (i32.const 60016))
    (i32.store (i32.const 60012) (i32.const 1))
    (drop (call $fd_write (i32.add (i32.const 1) (i32.gt_u (local.get $length) (i32.const 8)))
      (i32.const 60000) (i32.const 2) (i32.const 60020)))
    (if (i32.gt_u (local.get $length) (i32.const 8)) (then unreachable))
    (call $result (local.get $payload) (local.get $length))`,
}
const CONFORMANCE = 'test/conformance/plugins/c/plugin.wasm'
const GRANTS = `[permissions]\npermissions = ["fs_read:./given", "fs_write:./out", "env:GREETING"]\n`

const SCHEMA = `[[operations]]\nname = "echo"\n[operations.input_schema]\ntype = "object"\nrequired = ["text"]\n`

describe('A WebAssembly plugin', function () {
  this.timeout(60_000)
  let daemon: TestDaemon

  before(async () => {
    daemon = await TestDaemon.start({
      environment: { GREETING: 'hi' },
      config: 'reload: {debounce_ms: 20}\nexecution: {cancel_grace_ms: 300}\n',
      files: {
        ...wasmPlugin('echoing', {}),
        ...wasmPlugin('checked', {}, SCHEMA),
        ...wasmPlugin(
          'spinning',
          { execute: '(loop $ever (br $ever)) unreachable' },
          limits('max_execution_time_ms = 300'),
        ),
        ...wasmPlugin('trapping', { execute: TRAPS_ON_MORE }),
        ...wasmPlugin('small_answers', {}, limits('max_output_bytes = 100')),
        ...wasmPlugin('asking', ASKS),
        ...wasmPlugin('counting', COUNTS),
        ...wasmPlugin('spare', {}, '[runtime]\nstandby = 1\n'),
        ...wasmPlugin('granted', fs.readFileSync(CONFORMANCE), GRANTS),
        'given/a.txt': 'hello',
        'secret.txt': 'not yours',
        ...wasmPlugin('printing', PRINTS),
        ...wasmPlugin('unlike', { initialize: '"operations":["other"]' }, '[[operations]]\nname = "echo"\n'),
        ...wasmPlugin('refusing', {
          onInitialize: '(return (call $fail (call $text_words)))',
          texts: { words: 'no licence found' },
        }),
        ...wasmPlugin('newer', { initialize: '"protocol_version":"9.0"' }),
        ...wasmPlugin('garbage', Buffer.from('no module')),
        ...wasmPlugin('laden', laden(60_000_000), limits('max_memory_mb = 64')),
        ...wasmPlugin('component', Buffer.from([0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0])),
      },
    })
  })
  after(() => daemon.stop())

  it('answers with what came in, byte for byte', async () => {
    const input = { text: 'Grüße', list: [1, 2.5, null, true] }
    expect((await daemon.call('echoing', 'echo', input)).result).to.deep.equal(input)
    const large = 'x'.repeat(1024 * 1024)
    expect((await daemon.call('echoing', 'echo', large)).result).to.equal(large)
  })

  it('gets no input that does not fit the schema of its operation', async () => {
    expect((await daemon.call('checked', 'echo', { text: 'a' })).result).to.deep.equal({ text: 'a' })
    const error = await daemon.refusal('checked', 'echo', {})
    expect(error.code).to.equal('INPUT_INVALID')
    expect(error.message).to.include('text')
  })

  it('is told of no operation that it does not name', async () => {
    const error = await daemon.refusal('echoing', 'echoes')
    expect(error.code).to.equal('OPERATION_NOT_FOUND')
    expect(error.message).to.include('Did you mean "echo"?')
  })

  it('traps, and serves the next call', async () => {
    const trapped = await daemon.call('trapping', 'echo', 12)
    expect(trapped).to.deep.include({ success: false, error: 'the plugin trapped: unreachable' })
    const pid = await daemon.pidOf('trapping')
    expect((await daemon.call('trapping', 'echo', 1)).result).to.equal(1)
    expect(await daemon.pidOf('trapping'), 'in the same process').to.equal(pid)
  })

  it('prints lines of its log, and its last words on stderr are those of its failure', async () => {
    let id = ''
    // By a pipe of its own: on a busy machine the answer may come before it.
    await until(async () => {
      const { execution_id, logs } = await daemon.call('printing', 'echo', 'hello')
      id = execution_id
      return logs.join() === 'info: hello'
    }, 'a line in the result of the call that printed it')
    const lines = await daemon.system.get_plugin_logs({ plugin_id: 'printing' })
    expect(lines.at(-1)).to.deep.include({ source: 'stdout', message: 'hello', execution_id: id })
    const failed = await daemon.call('printing', 'echo', 'index out of range')
    expect(failed).to.deep.include({ success: false, error: 'index out of range' })
  })

  it('is ended where it computes beyond its deadline, and serves the next call', async () => {
    const error = await daemon.refusal('spinning', 'echo')
    expect(error.code).to.equal('LIMIT_EXCEEDED')
    expect(error.details).to.deep.include({ limit: 'max_execution_time_ms', declared: 300 })
    expect((await daemon.call('echoing', 'echo', 1)).result).to.equal(1)
  })

  it('may answer no more than it may', async () => {
    const error = await daemon.refusal('small_answers', 'echo', 'x'.repeat(200))
    expect(error.code).to.equal('LIMIT_EXCEEDED')
    expect(error.details).to.deep.include({ limit: 'max_output_bytes', declared: 100, measured: 202 })
    expect((await daemon.call('small_answers', 'echo', 'small')).result).to.equal('small')
  })

  describe('asking its host', () => {
    const ask = async (method: string, params: object = {}, options: ExecuteOptions = {}) =>
      await daemon.call<{ result?: unknown; error?: { code: number } }>(
        'asking',
        'echo',
        { jsonrpc: '2.0', id: 1, method, params },
        options,
      )

    it('logs in the name of its call', async () => {
      const { logs, execution_id: id } = await ask('log', { level: 'warn', message: 'mind' })
      expect(logs).to.deep.equal(['warn: mind'])
      const [line] = (await daemon.system.get_plugin_logs({ plugin_id: 'asking' })).slice(-1)
      expect(line).to.deep.include({ level: 'warn', source: 'log', message: 'mind', execution_id: id })
    })

    it('tells of progress while it works', async () => {
      const seen: ExecutionProgress[] = []
      const { execution_id: id } = await ask(
        'progress',
        { fraction: 0.5, message: 'halfway' },
        { on_progress: (progress) => void seen.push(progress) },
      )
      expect(seen).to.deep.equal([{ execution_id: id, fraction: 0.5, message: 'halfway' }])
    })

    it('hears of its cancellation while it sleeps, and its process goes on', async () => {
      await ask('is_cancelled')
      const pid = await daemon.pidOf('asking')
      const cancelled = new AbortController()
      const call = refusalOf(ask('sleep', { duration_ms: 60_000 }, { signal: cancelled.signal }))
      await until(async () => (await daemon.info('asking')).instances[0]?.calls_in_flight === 1, 'its sleep')
      cancelled.abort()
      expect((await call).code).to.equal('CALL_CANCELLED')
      expect((await ask('is_cancelled')).result?.result).to.deep.equal({ cancelled: false })
      expect(await daemon.pidOf('asking'), 'in the same process').to.equal(pid)
    })

    it('reaches no host that it was not granted, and is told so by name', async () => {
      const { result, warnings } = await ask('fetch', { url: 'http://example.org/' })
      expect(result?.error).to.deep.include({ code: -34007 })
      expect(result?.error).to.have.nested.include({
        'data.details.permission': 'Net',
        'data.details.resource': 'example.org:80',
      })
      expect(warnings).to.have.length(1)
      expect(warnings[0]).to.include('network:example.org')
    })
  })

  describe('with grants', () => {
    const run = async (operation: string, input: object) => await daemon.call('granted', operation, input)

    it('reads what it may, by a relative path of the workspace and by an absolute one', async () => {
      for (const file of ['given/a.txt', daemon.world.path('given/a.txt')])
        expect((await run('read_file', { path: file })).result).to.deep.equal({ text: 'hello' })
      const { success, error } = await run('read_file', { path: 'given/none.txt' })
      expect({ success, error }).to.deep.equal({
        success: false,
        error: `ENOENT: no such file or directory, open '${daemon.world.path('given/none.txt')}'`,
      })
    })

    it('writes where it may, and the file is reported as created', async () => {
      const { created_files: files } = await run('write_file', { path: 'out/b.txt', text: 'written' })
      expect(files).to.deep.equal([daemon.world.path('out/b.txt')])
      expect(fs.readFileSync(daemon.world.path('out/b.txt'), 'utf8')).to.equal('written')
    })

    for (const [operation, input, missing] of [
      ['read_file', { path: 'secret.txt' }, 'fs_read:./secret.txt'],
      ['read_file', { path: 'given/../secret.txt' }, 'fs_read:./secret.txt'],
      ['read_file', { path: '/etc/passwd' }, 'fs_read:/etc/passwd'],
      ['write_file', { path: 'given/a.txt', text: '' }, 'fs_write:./given/a.txt'],
      ['fetch_url', { url: 'http://example.org/' }, 'network:example.org'],
    ] as const) {
      it(`is refused ${missing}, and the words name what is missing`, async () => {
        const error = await daemon.refusal('granted', operation, input)
        expect(error.code).to.equal('PERMISSION_DENIED')
        expect(error.details['missing']).to.deep.equal([missing])
      })
    }

    it('sees the variables that it was granted, and no other', async () => {
      expect((await run('read_env', { name: 'GREETING' })).result).to.deep.equal({ value: 'hi' })
      expect((await run('read_env', { name: 'HOME' })).result).to.deep.equal({ value: null })
    })

    it('fails in the words of its panic', async () => {
      expect(await run('panic', { message: 'boom' })).to.deep.include({ success: false, error: 'boom' })
    })
  })

  describe('with hooks', () => {
    it('says how it is', async () => {
      await daemon.call('counting', 'echo')
      const { reported } = await daemon.system.get_plugin_health('counting')
      expect(reported).to.deep.equal([
        { workspace: daemon.world.folder, health: { status: 'healthy', queue: 3 }, problem: null },
      ])
    })

    it('vetoes a configuration in its own words', async () => {
      const error = await refusalOf(daemon.system.update_plugin_config('counting', { depth: 0 }))
      expect(error.code).to.equal('CONFIG_INVALID')
      expect(error.message).to.include('depth must be at least 1')
    })

    it('hands its state over to the next generation', async () => {
      const { count } = (await daemon.call<{ count: number }>('counting', 'echo')).result!
      expect(count).to.be.above(0)
      const { generation } = await served(daemon, 'counting')
      await daemon.system.reload_plugin('counting')
      await successorOf(daemon, 'counting', generation)
      expect((await daemon.call('counting', 'echo')).result).to.deep.equal({ count: count + 1 })
    })

    it('is reloaded when its module is saved', async () => {
      await daemon.call('echoing', 'echo', 1)
      const { generation } = await served(daemon, 'echoing')
      const changed = watGuest({ execute: '(call $result (call $text_new))', texts: { new: '"new"' } })
      const draft = daemon.world.path('draft.wasm')
      fs.writeFileSync(draft, changed)
      fs.renameSync(draft, daemon.world.path('plugins/echoing/plugin.wasm'))
      await successorOf(daemon, 'echoing', generation)
      expect((await daemon.call('echoing', 'echo', 1)).result).to.equal('new')
    })
  })

  it('may keep a standby, which is compiled and not begun', async () => {
    await daemon.call('spare', 'echo', 1)
    // One that is still loading when it is needed is replaced like the other, and nobody outside sees when it is done.
    await until(async () => {
      const standby = await standbyPid(daemon, 'spare')
      const active = await daemon.pidOf('spare')
      process.kill(active, 'SIGKILL')
      return (await readyPid(daemon, 'spare', active)) === standby
    }, 'a standby that takes over')
    expect((await daemon.call('spare', 'echo', 2)).result).to.equal(2)
  })

  for (const [id, words] of [
    ['unlike', /plugin\.toml declares operations that the code lacks: "echo".* The code has "other"/],
    ['refusing', /no licence found/],
    ['newer', /it speaks protocol "9\.0", this daemon 1\.\d/],
    [
      'laden',
      /no memory left for the bytes of its module\. Raise max_memory_mb .* without debug information/,
    ],
    ['garbage', /it is invalid: .*"plugin\.wasm": it is not WebAssembly/],
    ['component', /it is invalid: .*"plugin\.wasm": it is a component, .* come with a later version/],
  ] as const) {
    it(`is not started where it is ${id}, and the words say why`, async () => {
      const error = await daemon.refusal(id, 'echo')
      expect(error.message).to.match(words)
    })
  }
})

/** A module with as much debug information as that. */
function laden(bytes: number): Uint8Array {
  return Buffer.concat([watGuest(), Buffer.from([0, ...leb(bytes + 2), 1, 0x64]), Buffer.alloc(bytes)])
}

function limits(line: string): string {
  return `[resource_limits]\n${line}\n`
}
