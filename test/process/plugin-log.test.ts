import { expect } from 'chai'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import type { PluginLogLine } from '../../src/contract/execution.ts'
import { PluginLogs } from '../../host/observe/plugin-log.ts'
import { RotatingFile } from '../../host/observe/rotating-file.ts'

describe('PluginLogs', () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-plugin-log-'))
  const opened: PluginLogs[] = []
  let count = 0

  afterEach(async () => {
    await Promise.all(opened.splice(0).map((logs) => logs.close()))
  })
  after(() => fs.rmSync(folder, { recursive: true, force: true }))

  function setUp(stateDirectory = path.join(folder, `state-${(count += 1)}`)) {
    const clock = manualClock()
    const errors: string[] = []
    const logs = new PluginLogs({
      stateDirectory,
      clock,
      onError: (id, error) => errors.push(`${id}: ${error}`),
    })
    opened.push(logs)
    return { logs, clock, errors, stateDirectory, directory: path.join(stateDirectory, 'logs', 'plugins') }
  }

  it('keeps lines in memory and in a file of mode 0600, and merges plugins by time', async () => {
    const { logs, directory } = setUp()
    logs.append(line('a', 'first', 1))
    logs.append(line('b', 'second', 2))
    logs.append(line('a', 'third', 3))
    expect(messages(await logs.tail({ lines: 10 }))).to.eql(['first', 'second', 'third'])
    expect(messages(await logs.tail({ lines: 2 }))).to.eql(['second', 'third'])
    expect(messages(await logs.tail({ plugin_id: 'a', lines: 10 }))).to.eql(['first', 'third'])
    expect(await logs.tail({ plugin_id: 'nobody', lines: 10 })).to.eql([])
    expect(await logs.tail({ lines: 0 })).to.eql([])
    await logs.flush()
    const file = path.join(directory, 'a.log')
    expect(fs.statSync(file).mode & 0o777).to.equal(0o600)
    expect(fs.statSync(directory).mode & 0o777).to.equal(0o700)
    const written = fs.readFileSync(file, 'utf8').trimEnd().split('\n')
    expect(written.map((text) => JSON.parse(text) as unknown)).to.eql([
      line('a', 'first', 1),
      line('a', 'third', 3),
    ])
  })

  it('shows after a restart what the daemon before it wrote, torn lines left out', async () => {
    const first = setUp()
    for (let i = 0; i < 5; i += 1) first.logs.append(line('a', `line ${i}`, i))
    first.logs.append(line('b', 'other', 2))
    await first.logs.close()
    fs.appendFileSync(path.join(first.directory, 'a.log'), '{"time":"torn')
    const second = setUp(first.stateDirectory)
    expect(messages(await second.logs.tail({ lines: 3 }))).to.eql(['other', 'line 3', 'line 4'])
    second.logs.append(line('a', 'line 5', 5))
    expect(messages(await second.logs.tail({ plugin_id: 'a', lines: 2 }))).to.eql(['line 4', 'line 5'])
  })

  it('reads no more than the end of a large file', async () => {
    const first = setUp()
    const file = path.join(first.directory, 'a.log')
    fs.writeFileSync(file, `${JSON.stringify(line('a', 'ä'.repeat(500), 1))}\n`.repeat(4000))
    const lines = await first.logs.tail({ plugin_id: 'a', lines: 10_000 })
    expect(lines).to.have.length.within(200, 300)
    expect(lines[0]).to.eql(line('a', 'ä'.repeat(500), 1))
  })

  it('drops what is over the rate, says how much in one line of the host, and drops no host line', async () => {
    const { logs, clock } = setUp()
    const heard: PluginLogLine[] = []
    logs.subscribe('noisy', (entry) => heard.push(entry))
    for (let i = 0; i < 10_000; i += 1) logs.append(line('noisy', `${i}`, i))
    logs.append({ ...line('noisy', 'from the host', 1), source: 'host' })
    logs.append(line('quiet', 'still heard', 2))
    expect(heard).to.have.length(2001)
    clock.advance(1000)
    expect(heard).to.have.length(2002)
    expect(heard.at(-1)).to.include({ source: 'host', level: 'warn', plugin_id: 'noisy' })
    expect(heard.at(-1)?.message).to.equal('"noisy" logs too fast: 8000 lines dropped, over 1000 a second')
    clock.advance(10_000)
    expect(heard).to.have.length(2002)
    expect(messages(await logs.tail({ plugin_id: 'quiet', lines: 1 }))).to.eql(['still heard'])
  })

  it('cuts long lines and escapes what terminals obey, for memory, file and listeners alike', async () => {
    const { logs, directory } = setUp()
    const heard: string[] = []
    const unsubscribe = logs.subscribe(null, (entry) => heard.push(entry.message))
    logs.append(line('a', '\x1b]0;owned\x07\0\nforged line \u009b2J', 1))
    logs.append(line('a', '😀'.repeat(10_000), 2))
    unsubscribe()
    logs.append(line('a', 'not heard', 3))
    expect(heard).to.have.length(2)
    expect(heard[0]).to.equal('\\x1b]0;owned\\x07\\x00\\nforged line \\x9b2J')
    expect(heard[1])
      .to.have.length.at.most(8192)
      .and.satisfy((text: string) => text.endsWith(' … (cut)'))
    expect(heard[1]?.isWellFormed()).to.equal(true)
    await logs.flush()
    expect(fs.readFileSync(path.join(directory, 'a.log'), 'utf8').split('\n')).to.have.length(4)
  })

  it('keeps a log inside its folder whatever the id', async () => {
    const { logs, directory, stateDirectory } = setUp()
    logs.append(line('../../escape', 'x', 1))
    await logs.flush()
    expect(fs.readdirSync(directory)).to.eql(['..%2F..%2Fescape.log'])
    expect(fs.readdirSync(stateDirectory)).to.eql(['logs'])
    expect(messages(await logs.tail({ lines: 1 }))).to.eql(['x'])
  })

  it('reports a file that cannot be written once, goes on in memory, and writes again when it can', async () => {
    const { logs, errors, directory } = setUp()
    fs.mkdirSync(path.join(directory, 'a.log'))
    logs.append(line('a', 'one', 1))
    await logs.flush()
    logs.append(line('a', 'two', 2))
    await logs.flush()
    expect(errors).to.have.length(1)
    expect(errors[0]).to.match(/^a: .*EISDIR/)
    fs.rmdirSync(path.join(directory, 'a.log'))
    logs.append(line('a', 'three', 3))
    await logs.flush()
    expect(fs.readFileSync(path.join(directory, 'a.log'), 'utf8'))
      .to.contain('three')
      .and.not.to.contain('two')
  })

  it('writes everything before close() resolves, and nothing after', async () => {
    const { logs, directory } = setUp()
    for (let i = 0; i < 1500; i += 1) logs.append(line('a', `line ${i}`, i))
    await logs.close()
    logs.append(line('a', 'late', 2000))
    await logs.close()
    const written = fs.readFileSync(path.join(directory, 'a.log'), 'utf8').trimEnd().split('\n')
    expect(written).to.have.length(1500)
  })
})

describe('RotatingFile', () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-rotating-'))
  after(() => fs.rmSync(folder, { recursive: true, force: true }))

  it('turns over without losing one of 100,000 quick lines', async () => {
    const file = new RotatingFile({
      path: path.join(folder, 'x.log'),
      maxBytes: 1024 * 1024,
      maxFiles: 100,
      onError: (error) => {
        throw error
      },
    })
    for (let i = 0; i < 100_000; i += 1) file.write(`${JSON.stringify({ i, text: 'x'.repeat(100) })}\n`)
    await file.close()
    const names = fs.readdirSync(folder)
    const seen = new Set<number>()
    for (const name of names) {
      const text = fs.readFileSync(path.join(folder, name), 'utf8')
      expect(text.length).to.be.at.most(1024 * 1024)
      for (const json of text.trimEnd().split('\n')) seen.add((JSON.parse(json) as { i: number }).i)
    }
    expect(names.length).to.be.within(11, 20)
    expect(seen.size).to.equal(100_000)
  })

  it('writes through no link, and says so', async () => {
    const directory = fs.mkdtempSync(path.join(folder, 'link-'))
    const target = path.join(directory, 'profile')
    fs.writeFileSync(target, '# mine\n')
    fs.symlinkSync(target, path.join(directory, 'x.log'))
    const errors: unknown[] = []
    const file = new RotatingFile({
      path: path.join(directory, 'x.log'),
      maxBytes: 1024,
      maxFiles: 3,
      onError: (error) => errors.push(error),
    })
    file.write('$(says a plugin)\n')
    await file.close()
    expect(fs.readFileSync(target, 'utf8')).to.equal('# mine\n')
    expect(errors).to.have.length(1)
    expect(errors[0]).to.include({ code: 'ELOOP' })
  })

  it('keeps no more files than it may, newest first, and takes no file of a neighbour', async () => {
    const directory = fs.mkdtempSync(path.join(folder, 'few-'))
    fs.writeFileSync(path.join(directory, 'x1.log'), 'of the plugin x1')
    const file = new RotatingFile({
      path: path.join(directory, 'x.log'),
      maxBytes: 10,
      maxFiles: 3,
      onError: (error) => {
        throw error
      },
    })
    for (const text of ['first ..\n', 'second .\n', 'third ..\n', 'fourth .\n']) {
      file.write(text)
      await file.flush()
    }
    await file.close()
    const content = (name: string) => fs.readFileSync(path.join(directory, name), 'utf8')
    expect(fs.readdirSync(directory).toSorted()).to.eql(['x.log', 'x.log.1', 'x.log.2', 'x1.log'])
    expect(['x.log', 'x.log.1', 'x.log.2'].map(content)).to.eql(['fourth .\n', 'third ..\n', 'second .\n'])
    expect(content('x1.log')).to.equal('of the plugin x1')
  })
})

function line(pluginId: string, message: string, ms: number): PluginLogLine {
  const time = new Date(ms).toISOString()
  return { time, plugin_id: pluginId, level: 'info', source: 'stdout', execution_id: null, message }
}

function messages(lines: readonly PluginLogLine[]): string[] {
  return lines.map(({ message }) => message)
}

function manualClock() {
  let nowMs = 0
  const timers = new Set<{ atMs: number; run: () => void }>()
  return {
    now: () => nowMs,
    after: (delayMs: number, run: () => void) => {
      const timer = { atMs: nowMs + delayMs, run }
      timers.add(timer)
      return () => void timers.delete(timer)
    },
    advance: (byMs: number) => {
      nowMs += byMs
      for (const timer of [...timers].filter(({ atMs }) => atMs <= nowMs)) {
        timers.delete(timer)
        timer.run()
      }
    },
  }
}
