import { expect } from 'chai'
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'

const MODULE_URL = new URL('../../../../host/observe/daemon-log.ts', import.meta.url).href

describe('createDaemonLog()', () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-daemon-log-'))
  after(() => fs.rmSync(folder, { recursive: true, force: true }))

  /** Runs `script` with `log` and `flush` in a process of its own, since it is about exits and about stderr. */
  function run(script: string, settings: { isPrivate?: boolean; journal?: 'this' | 'other' } = {}) {
    const stateDirectory = fs.mkdtempSync(path.join(folder, 'state-'))
    const stderrPath = path.join(stateDirectory, 'stderr')
    const stderr = fs.openSync(stderrPath, 'a')
    const { dev, ino } = fs.fstatSync(stderr)
    const journalStream = settings.journal && (settings.journal === 'this' ? `${dev}:${ino}` : '1:2')
    const options = { stateDirectory, level: 'info', isPrivate: settings.isPrivate ?? false, journalStream }
    const source = `
      const { createDaemonLog } = await import(${JSON.stringify(MODULE_URL)})
      const { log, flush } = createDaemonLog(${JSON.stringify(options)})
      ${script}`
    const { status } = spawnSync(process.execPath, ['--input-type=module', '-e', source], {
      stdio: ['ignore', 'ignore', stderr],
    })
    fs.closeSync(stderr)
    const file = path.join(stateDirectory, 'logs', 'daemon.log')
    const lines = fs.existsSync(file) ? fs.readFileSync(file, 'utf8').trimEnd().split('\n') : []
    return { status, file, entries: lines.map(parse), stderr: fs.readFileSync(stderrPath, 'utf8') }
  }

  it('has every line in the file when flush() resolves, though process.exit follows at once', () => {
    const { status, entries, file } = run(`
      for (let i = 0; i < 5000; i += 1) log.info('line', { i })
      await flush()
      process.exit(3)`)
    expect(status).to.equal(3)
    expect(entries.map(({ i }) => i)).to.eql(Array.from({ length: 5000 }, (_, i) => i))
    expect(fs.statSync(file).mode & 0o777).to.equal(0o600)
  })

  it('still writes what is logged after flush()', () => {
    const { entries } = run(
      `log.info('early'); await flush(); log.warn('late'); log.debug('no'); process.exit()`,
    )
    expect(entries.map(({ message, level }) => `${level} ${message}`)).to.eql(['info early', 'warn late'])
  })

  it('writes errors with code, stack and cause, and anything else that can hardly be shown', () => {
    const { entries } = run(`
      const circular = {}
      circular.self = circular
      const error = Object.assign(new Error('outer', { cause: new Error('inner') }), { code: 'E_X' })
      log.error('failed', { error, circular, big: 10n, message: 'not this', nothing: undefined })
      await flush()`)
    const entry = entries[0] as {
      error: Record<string, unknown>
      message: string
      circular: string
      big: string
    }
    expect(entry.message).to.equal('failed')
    expect(entry.error).to.include({ name: 'Error', message: 'outer', code: 'E_X' })
    expect(entry.error['stack']).to.contain('at ')
    expect(entry.error['cause']).to.include({ message: 'inner' })
    expect(entry.circular).to.contain('cannot be shown')
    expect(entry.big).to.equal('10')
  })

  it('shows people one readable line without control characters, and a private daemon shows nothing', () => {
    const script = `log.warn('plugin \\x1b[31msaid\\n<3>forged', { pid: 7, error: new Error('why') }); await flush()`
    const { stderr } = run(script)
    expect(stderr).to.match(/^\S+Z warn {2}plugin \\x1b\[31msaid\\n<3>forged pid=7 error="why"\n$/)
    const quiet = run(script, { isPrivate: true })
    expect(quiet.stderr).to.equal('')
    expect(quiet.entries).to.have.length(1)
  })

  it('writes to the journal alone, with priorities, when stderr is the journal', () => {
    const script = `log.error('a'); log.warn('b'); log.info('c'); log.debug('d'); await flush(); log.info('e')`
    const { stderr, entries } = run(script, { journal: 'this' })
    expect(stderr).to.equal('<3>a\n<4>b\n<6>c\n<6>e\n')
    expect(entries).to.eql([])
  })

  it('does not believe a JOURNAL_STREAM that names another stream', () => {
    const { stderr, entries } = run(`log.info('a'); await flush()`, { journal: 'other' })
    expect(stderr).to.match(/ info {2}a\n$/)
    expect(entries).to.have.length(1)
  })
})

function parse(text: string): Record<string, unknown> {
  return JSON.parse(text) as Record<string, unknown>
}
