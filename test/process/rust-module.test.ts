import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { expect } from 'chai'
import { buildGuest, committedModule, GUESTS, missingCompiler } from '../../.scripts/build-guests.mjs'
import { BUILD_TIMEOUT_MS } from '../helpers/cargo.ts'
import { skipBecause } from '../helpers/skip.ts'
import { WasmGuest, type HostCall } from '../helpers/wasm-guest.ts'

const GUEST = GUESTS.find(({ name }) => name === 'conformance-rust')!
const DENIED = {
  code: -34007,
  message: 'Cannot access "/etc/passwd": FileSystemRead is not granted there',
  data: { name: 'access_denied', details: { permission: 'FileSystemRead', resource: '/etc/passwd' } },
}
const CANCELLED = { code: -34004, message: 'the call was cancelled', data: { name: 'cancelled' } }

/** Where the committed module was made. */
const MADE_IN = '/root'

function behaviourOf(code: Buffer): unknown {
  const guest = new WasmGuest(code)
  const execute = (operation: string, input: object): unknown =>
    guest.request('execute', { operation, timeout_ms: 9 }, JSON.stringify(input))
  return [
    guest.initialize({ previous_state: { count: 3 } }),
    execute('echo', { a: [1] }),
    execute('word_count', { text: 'a b' }),
    execute('word_count', {}),
    execute('count', {}),
    execute('report_progress', { steps: 2 }),
    guest.request('health', {}),
    guest.request('validate_config', { config: { depth: 11 } }),
    guest.request('export_state', {}),
    guest.asked,
  ]
}

describe('a plugin of the crate phantom_ml_core, as a module', () => {
  const code = fs.readFileSync(committedModule(GUEST))

  function open(
    calls: Readonly<Record<string, HostCall>> = {},
    variables: readonly string[] = [],
  ): WasmGuest {
    const guest = new WasmGuest(code, calls, variables)
    expect(guest.initialize().error).to.equal(undefined)
    return guest
  }

  it('answers initialize with what it has, or with its veto', () => {
    const { result } = new WasmGuest(code).initialize()
    expect(result).to.include({ protocol_version: '1.2' })
    expect(result).to.have.property('operations').that.includes.members(['echo', 'count'])
    const { error } = new WasmGuest(code).initialize({ config: { depth: 11 } })
    expect(error?.message).to.equal(
      'its validate_config() refused the configuration: depth must be at most 10',
    )
    const lacking = new WasmGuest(code).initialize({ operations: [{ name: 'dance' }] })
    expect(lacking.error?.data.details).to.deep.include({ deterministic: true })
    expect(new WasmGuest(code).initialize({ protocol_version: '2.0' }).error?.data.name).to.equal(
      'VERSION_UNSUPPORTED',
    )
  })

  it('runs operations over any input', () => {
    const guest = open()
    const inputs = [null, 0.1, 'é 𝄞', { a: [1, { b: '' }] }, 'x'.repeat(3_000_000)]
    for (const input of inputs) expect(guest.execute('echo', input)).to.deep.equal(input)
    expect(guest.execute('word_count', { text: ' two  wörds\n' })).to.deep.equal({ words: 2, chars: 12 })
    expect(() => guest.execute('word_count', {})).to.throw('input_invalid: input.text: must be string')
    expect(() => guest.execute('dance')).to.throw(
      'operation_not_found: Cannot run "dance": the plugin has no',
    )
    const broken = guest.request('execute', { operation: 'echo', timeout_ms: 9 }, '{')
    expect(broken.error?.data.name).to.equal('input_invalid')
  })

  it('keeps nothing of the calls that it answered', () => {
    const guest = open()
    const input = 'x'.repeat(100_000)
    for (let round = 0; round < 10; round += 1) guest.execute('echo', input)
    const before = guest.memoryBytes
    for (let round = 0; round < 200; round += 1) guest.execute('echo', input)
    expect(guest.memoryBytes).to.equal(before)
  })

  it('asks its host for files, the network, variables and time', () => {
    const written: Buffer[] = []
    const guest = open(
      {
        read_file: ({ path: file }) =>
          file === '/etc/passwd' ? { error: DENIED } : { payload: Buffer.from(`of ${String(file)}`) },
        write_file: (_params, payload) => {
          written.push(Buffer.from(payload))
          return {}
        },
        fetch: ({ url }) => ({ result: { status: 404, headers: {} }, payload: Buffer.from(String(url)) }),
      },
      ['GREETING=hello=you'],
    )
    expect(guest.execute('read_file', { path: 'a.txt' })).to.deep.equal({ text: 'of a.txt' })
    const { error } = guest.request('execute', { operation: 'read_file' }, '{"path":"/etc/passwd"}')
    expect(error).to.deep.equal(DENIED)
    expect(guest.execute('write_file', { path: 'a', text: 'é' })).to.deep.equal({ bytes: 2 })
    expect(written.map(String)).to.deep.equal(['é'])
    expect(guest.execute('fetch_url', { url: 'http://a.example/' })).to.deep.equal({
      status: 404,
      text: 'http://a.example/',
    })
    expect(guest.execute('read_env', { name: 'GREETING' })).to.deep.equal({ value: 'hello=you' })
    expect(guest.execute('read_env', { name: 'PATH' })).to.deep.equal({ value: null })
    expect(guest.execute('sleep', { duration_ms: 5 })).to.deep.equal({ slept_ms: 5 })
    expect(guest.asked.at(-1)).to.deep.equal({ method: 'sleep', params: { duration_ms: 5 } })
  })

  it('tells of its progress, ends a wait that is cancelled, and says its last words before it traps', () => {
    const guest = open({ sleep: () => ({ error: CANCELLED }) })
    guest.execute('report_progress', { steps: 2 })
    expect(guest.asked).to.deep.equal([
      { method: 'progress', params: { fraction: 0.5, message: 'step 1 of 2' } },
      { method: 'progress', params: { fraction: 1, message: 'step 2 of 2' } },
    ])
    const { error } = guest.request('execute', { operation: 'wait_for_cancel' }, 'null')
    expect(error?.data.name).to.equal('cancelled')
    expect(() => guest.execute('panic', { message: 'the lamp fell' })).to.throw(/unreachable/)
    const params = { level: 'error', message: 'the lamp fell' }
    expect(guest.asked.at(-1)).to.deep.equal({ method: 'log', params })
  })

  it('answers hooks', () => {
    const guest = open()
    guest.execute('count')
    expect(guest.request('health', {}).result).to.deep.equal({ health: { status: 'healthy', count: 1 } })
    const config = { depth: 11 }
    expect(guest.request('validate_config', { config }).result).to.deep.equal({
      veto: 'depth must be at most 10',
    })
    expect(guest.request('export_state', {}).result).to.deep.equal({ state: { count: 1 } })
    for (const hook of ['quiesce', 'resume', 'shutdown'])
      expect(guest.request(hook, {}).result).to.equal(null)
  })

  it('is what its sources make', function () {
    this.timeout(BUILD_TIMEOUT_MS)
    const missing = missingCompiler(GUEST)
    if (missing !== null) skipBecause.call(this, missing)
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-rust-'))
    try {
      buildGuest(GUEST, path.join(folder, 'plugin.wasm'))
      const built = fs.readFileSync(path.join(folder, 'plugin.wasm'))
      expect(behaviourOf(built)).to.deep.equal(behaviourOf(code))
      // Cargo orders what it makes after the path that it is made at.
      if (os.homedir() !== MADE_IN || process.env['XDG_CACHE_HOME'] !== undefined) return
      expect(built.equals(code), 'whether node .scripts/build-guests.mjs was run').to.equal(true)
    } finally {
      fs.rmSync(folder, { recursive: true })
    }
  })
})
