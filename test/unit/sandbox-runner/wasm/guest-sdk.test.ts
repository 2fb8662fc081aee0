import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { expect } from 'chai'
import { assert, double, property, string } from 'fast-check'
import {
  buildGuest,
  committedModule,
  GUESTS,
  missingCompiler,
  producerOf,
} from '../../../../.scripts/build-guests.mjs'
import { skipBecause } from '../../../helpers/skip.ts'
import { WasmGuest, type HostCall } from '../../../helpers/wasm-guest.ts'

const ROOT = path.resolve(import.meta.dirname, '../../../..')
const DENIED = {
  code: -34007,
  message: 'Cannot access "/etc/passwd": FileSystemRead is not granted there',
  data: { name: 'access_denied', details: { permission: 'FileSystemRead', resource: '/etc/passwd' } },
}
const OPERATIONS =
  'echo word_count read_file write_file fetch_url read_env sleep spin grow panic log report_progress wait_for_cancel count send noted'
const NO_JSON = ` |{|[1|{"text":}|{"text":"a"|"a|[1,]|{"a":1,}|{a:1}|'a'|01|1.|.5|1e|+1|-|tru|nulll|1 2|"\\x"|"\\u12g4"|"\n"|[\u00a0]|\ufeff1`
const SPACED = 'héllo  wörld\n"😀"\t\\ end\u0001'

for (const language of ['assemblyscript', 'c']) {
  const guest = GUESTS.find(({ name }) => name === `conformance-${language}`)!

  describe(`a guest in ${language}`, () => {
    let code: Buffer
    let open: (calls?: Readonly<Record<string, HostCall>>, variables?: readonly string[]) => WasmGuest

    before(() => {
      code = fs.readFileSync(committedModule(guest))
      open = (calls, variables) => {
        const one = new WasmGuest(code, calls, variables)
        expect(one.initialize().error).to.equal(undefined)
        return one
      }
    })

    it('answers initialize with what it has', () => {
      const { result } = new WasmGuest(code).initialize()
      expect(result).to.have.property('protocol_version', '1.2')
      expect(result).to.have.property('operations').that.has.members(OPERATIONS.split(' '))
      expect(result).to.have.property('hooks').that.has.members(['health', 'validate_config', 'export_state'])
      expect(result).to.have.property('messages').that.deep.equals(['note'])
    })

    it('takes messages, and refuses one that its manifest declares and it lacks', () => {
      const { error } = new WasmGuest(code).initialize({ messages: [{ name: 'note' }, { name: 'notes' }] })
      expect(error?.message).to.equal('plugin.toml declares messages that the code lacks: "notes"')
      const one = open()
      const params = {
        sender: 'builder',
        type: 'note',
        message_id: 'm-1',
        origin: 'plugin',
        timeout_ms: 1000,
      }
      for (const text of ['first', 'ü second'])
        expect(one.request('message', params, JSON.stringify({ text })).result).to.equal(null)
      expect(one.request('message', { ...params, origin: 'forged' }, '{"n":1}').result).to.equal(null)
      const last = { sender: 'builder', origin: 'application', payload: { n: 1 } }
      expect(one.execute('noted')).to.deep.equal({ count: 3, last })
      expect(one.request('message', params, '{"text":"unlucky"}').error?.message).to.equal(
        'unlucky is no note',
      )
      expect(one.request('message', params, '{"text":').error?.data.name).to.equal('input_invalid')
      expect(one.request('message', { ...params, type: 'other' }).error?.data.name).to.equal(
        'operation_not_found',
      )
      expect(one.execute('noted')).to.deep.equal({ count: 3, last })
    })

    it('has its host send messages, and hands on what that refuses', () => {
      const details = { name: 'PhantomError', code: 'MESSAGE_REFUSED' }
      const refused = { code: -34001, message: 'not that', data: { name: 'fault', details } }
      const one = open({
        send_message: ({ type }, payload) => {
          expect(JSON.parse(payload.toString())).to.deep.equal({ text: 'ü' })
          return type === 'note' ? { result: { message_id: 'm-1' } } : { error: refused }
        },
      })
      const input = { recipient: 'reports', type: 'note', payload: { text: 'ü' } }
      expect(one.execute('send', input)).to.deep.equal({ sent: true })
      const params = { operation: 'send', timeout_ms: 1000 }
      const { error } = one.request('execute', params, JSON.stringify({ ...input, type: 'other' }))
      expect(error).to.deep.equal(refused)
    })

    it('names the operations that its manifest declares, and refuses one that it lacks', () => {
      const declared = { operations: [{ name: 'count' }, { name: 'echo' }] }
      expect(new WasmGuest(code).initialize(declared).result).to.deep.include({
        operations: ['count', 'echo'],
      })
      const { error } = new WasmGuest(code).initialize({ operations: [{ name: 'counts' }, { name: 'echo' }] })
      expect(error?.message).to.equal('plugin.toml declares operations that the code lacks: "counts"')
      expect(error?.data).to.deep.equal({ name: 'fault', details: { deterministic: true } })
    })

    it('refuses a configuration at its start and when it is asked', () => {
      const { error } = new WasmGuest(code).initialize({ config: { depth: 11 } })
      expect(error?.code).to.equal(-34001)
      expect(error?.message).to.equal(
        'its validate_config() refused the configuration: depth must be at most 10',
      )
      const one = open()
      const veto = (depth: number) => one.request('validate_config', { config: { depth } }).result
      expect(veto(11)).to.deep.equal({ veto: 'depth must be at most 10' })
      expect(veto(10)).to.deep.equal({ veto: null })
    })

    it('answers the other hooks, those that it has and those that it lacks', () => {
      const one = open()
      expect(one.request('health', {}).result).to.deep.equal({ health: { healthy: true } })
      expect(one.request('configure', { config: {}, log_level: 'warn' }).result).to.deep.equal({
        applied: false,
      })
      for (const method of ['quiesce', 'resume', 'shutdown']) {
        expect(one.request(method, {}).result, method).to.equal(null)
      }
    })

    it('hands its state over', () => {
      const one = open()
      one.execute('count')
      expect(one.execute('count')).to.deep.equal({ count: 2 })
      const { state } = one.request('export_state', {}).result as { state: unknown }
      const next = new WasmGuest(code)
      next.initialize({ previous_state: state })
      expect(next.execute('count')).to.deep.equal({ count: 3 })
    })

    it('echoes bytes as they are, none as none, and large ones again and again within the same memory', () => {
      const one = open()
      const echo = (payload: string | null) =>
        one.request('execute', { operation: 'echo', timeout_ms: 9 }, payload)
      expect(echo('{ "a" : 1e2 }').payload).to.equal('{ "a" : 1e2 }')
      expect(JSON.parse(echo(null).payload ?? 'null')).to.equal(null)
      const large = JSON.stringify('x'.repeat(1_000_000))
      for (let i = 0; i < 30; i += 1) expect(echo(large).payload === large).to.equal(true)
      expect(one.memoryBytes).to.be.lessThan(16 * 1024 * 1024)
    })

    it('reads and writes any text', () => {
      const one = open({ read_file: () => ({ payload: Buffer.from(SPACED) }) })
      expect(one.execute('word_count', { text: SPACED })).to.deep.equal({
        words: 5,
        chars: Array.from(SPACED).length,
      })
      expect(one.execute('read_file', { path: 'a' })).to.deep.equal({ text: SPACED })
      assert(
        property(string({ unit: 'binary' }), (text) => {
          one.execute('log', { level: 'warn', message: text })
          expect(one.asked.at(-1)?.params['message']).to.equal(text.toWellFormed())
        }),
      )
    })

    it('reads numbers as JavaScript does, and writes them so that they stay what they are', () => {
      const one = open({ sleep: () => ({}) })
      const kept = (value: number) =>
        (one.execute('sleep', { duration_ms: value }) as { slept_ms: number }).slept_ms
      for (const value of [0, -1, 0.1, 1e21, 2 ** 53, -123456.789, 1.7976931348623157e308, 5e-324, 1 / 3]) {
        expect(kept(value)).to.equal(value)
      }
      assert(
        property(double({ noNaN: true, noDefaultInfinity: true }), (value) => {
          expect(kept(value)).to.equal(Object.is(value, -0) ? 0 : value)
        }),
      )
    })

    it('takes no input that is not JSON', () => {
      const one = open()
      for (const text of [...NO_JSON.split('|'), '['.repeat(200), '['.repeat(200) + ']'.repeat(200)]) {
        const { error } = one.request('execute', { operation: 'word_count', timeout_ms: 9 }, text)
        expect(error?.data.name, text).to.equal('input_invalid')
        expect(error?.code).to.equal(-34002)
      }
      const { error } = one.request(
        'execute',
        { operation: 'word_count', timeout_ms: 9 },
        Buffer.from([0x22, 0xc3, 0x22]),
      )
      expect(error?.message).to.match(/UTF-8/)
      expect(one.execute('word_count', { text: 'still here' })).to.deep.equal({ words: 2, chars: 10 })
    })

    it('names an operation that it lacks', () => {
      const { error } = open().request('execute', { operation: 'dance', timeout_ms: 9 }, 'null')
      expect(error).to.deep.include({
        code: -34003,
        message: 'Cannot run "dance": there is no such operation',
      })
    })

    it('hands on what the host refuses, with its details', () => {
      const one = open({ read_file: () => ({ error: DENIED }) })
      const { error } = one.request(
        'execute',
        { operation: 'read_file', timeout_ms: 9 },
        '{"path":"/etc/passwd"}',
      )
      expect(error).to.deep.equal(DENIED)
    })

    it('asks the host for files, servers, variables, time and progress', () => {
      const written: string[] = []
      const one = open(
        {
          write_file: (_params, payload) => (written.push(payload.toString()), {}),
          fetch: () => ({ result: { status: 203, headers: {} }, payload: Buffer.from('hi') }),
        },
        ['EMPTY=', 'GREETING=hi=ho'],
      )
      expect(one.execute('write_file', { path: 'out.txt', text: 'wörds' })).to.deep.equal({ bytes: 6 })
      expect(written).to.deep.equal(['wörds'])
      expect(one.execute('fetch_url', { url: 'http://a.test/' })).to.deep.equal({ status: 203, text: 'hi' })
      expect(one.execute('read_env', { name: 'GREETING' })).to.deep.equal({ value: 'hi=ho' })
      expect(one.execute('read_env', { name: 'EMPTY' })).to.deep.equal({ value: '' })
      expect(one.execute('read_env', { name: 'GREET' })).to.deep.equal({ value: null })
      expect(one.execute('sleep', { duration_ms: 3 })).to.deep.equal({ slept_ms: 3 })
      expect(one.execute('report_progress', { steps: 2 })).to.deep.equal({ steps: 2 })
      expect(one.asked).to.deep.equal([
        { method: 'write_file', params: { path: 'out.txt' } },
        { method: 'fetch', params: { url: 'http://a.test/' } },
        { method: 'sleep', params: { duration_ms: 3 } },
        { method: 'progress', params: { fraction: 0.5, message: 'step 1 of 2' } },
        { method: 'progress', params: { fraction: 1, message: 'step 2 of 2' } },
      ])
    })

    it('sends no line below the level that it was told', () => {
      const one = open()
      const sent = (level: string) => {
        const before = one.asked.length
        one.execute('log', { level, message: 'a line' })
        return one.asked.length > before
      }
      expect(['debug', 'info', 'warn', 'error'].map(sent)).to.deep.equal([false, true, true, true])
      one.request('configure', { config: {}, log_level: 'error' })
      expect(['debug', 'info', 'warn', 'error'].map(sent)).to.deep.equal([false, false, false, true])
    })

    it('ends a wait that is cancelled', () => {
      const cancelled = { code: -34004, message: 'the call was cancelled', data: { name: 'cancelled' } }
      const asleep = open({ sleep: () => ({ error: cancelled }) })
      let looks = 0
      const looking = open({ is_cancelled: () => ({ result: { cancelled: (looks += 1) > 3 } }) })
      for (const one of [asleep, looking]) {
        const { error } = one.request('execute', { operation: 'wait_for_cancel', timeout_ms: 9 }, 'null')
        expect(error).to.deep.include({ code: -34004 })
      }
      expect(looks).to.equal(4)
    })

    it('prints its last words in one line before it traps', () => {
      const one = open()
      expect(() => one.execute('panic', { message: 'I "give"\nup' })).to.throw(/unreachable/)
      expect(one.printed.trimEnd().split('\n').at(-1)).to.equal('I "give" up')
    })

    describe('built again', function () {
      this.timeout(60_000)

      let folder: string
      before(function () {
        const missing = missingCompiler(guest)
        if (missing !== null) skipBecause.call(this, missing)
        folder = fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-'))
      })
      after(() => folder === undefined || fs.rmSync(folder, { recursive: true }))

      it('does the same', () => {
        const output = path.join(folder, 'plugin.wasm')
        buildGuest(guest, output)
        const built = fs.readFileSync(output)
        expect(behaviourOf(built)).to.deep.equal(behaviourOf(code))
        // The same compiler makes the same bytes.
        if (producerOf(built) !== producerOf(code)) return
        expect(built.equals(code), 'whether node .scripts/build-guests.mjs was run').to.equal(true)
      })

      it('runs the example of its README, by the command that stands there', () => {
        const sdk = path.join(ROOT, 'sandbox-runner/wasm/sdk', language)
        const readme = fs.readFileSync(path.join(sdk, 'README.md'), 'utf8')
        fs.cpSync(sdk, path.join(folder, language === 'c' ? '.' : 'assembly/phantom'), { recursive: true })
        fs.writeFileSync(
          path.join(folder, language === 'c' ? 'plugin.c' : 'assembly/index.ts'),
          block(readme, language === 'c' ? 'c' : 'ts'),
        )
        const command = readme
          .split('\n')
          .find((line) => line.includes('plugin.wasm') && /^(npx asc|clang) /.test(line))!
        const [program, ...args] = command.replace(/^npx /, '').split(' ')
        const bin = `${path.join(ROOT, 'node_modules/.bin')}:${process.env['PATH'] ?? ''}`
        execFileSync(program!, args, { cwd: folder, env: { ...process.env, PATH: bin }, stdio: 'pipe' })
        const one = new WasmGuest(fs.readFileSync(path.join(folder, 'plugin.wasm')))
        expect(one.initialize().error).to.equal(undefined)
        expect(one.execute('greet', { name: 'Ada' })).to.deep.equal({ message: 'Hello, Ada' })
        expect(() => one.execute('greet', {})).to.throw('fault: there is nobody to greet')
      })
    })
  })
}

/** What a module answers, over all parts of its SDK. */
function behaviourOf(code: Buffer): unknown[] {
  const one = new WasmGuest(code, { sleep: () => ({}) }, ['A=b'])
  return [
    one.initialize({ previous_state: { count: 41 } }).result,
    one.execute('echo', [1, 'é']),
    one.execute('word_count', { text: SPACED }),
    one.execute('sleep', { duration_ms: 0.1 }),
    one.execute('count'),
    one.execute('read_env', { name: 'A' }),
    one.request('execute', { operation: 'word_count', timeout_ms: 9 }, '{').error,
    one.request('export_state', {}).result,
    one.asked,
  ]
}

/** The first block of code of a page in that language. */
function block(page: string, language: string): string {
  return new RegExp(`\n\`\`\`${language}\n([^]*?)\`\`\``).exec(page)![1]!
}
