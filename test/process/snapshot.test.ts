import { expect } from 'chai'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { takeSnapshot } from '../../host/generations/snapshot.ts'
import { takeInThread } from '../../host/generations/snapshot-thread.ts'
import { isPhantomError, type PhantomError } from '../../src/contract/phantom-error.ts'
import { TestDaemon, until } from '../helpers/daemon.ts'
import { manifestText, write } from '../helpers/plugin-folders.ts'
import { skipBecause } from '../helpers/skip.ts'

const MANY_FILES = 8000
const MAX_ENTRIES = 20_000
/** A call takes a few ms; copying many files on the daemon's own loop stopped all of them for a second. */
const MAX_PAUSE_MS = 400

describe('A snapshot of a plugin folder', function () {
  this.timeout(60_000)
  let root = ''
  let folder = ''
  let cache = ''

  beforeEach(() => {
    root = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-snapshot-')))
    folder = path.join(root, 'plugin')
    cache = path.join(root, 'cache')
    write(path.join(folder, 'index.js'), 'export default 1')
    fs.chmodSync(folder, 0o755)
  })
  afterEach(() => fs.rmSync(root, { recursive: true, force: true }))

  const take = (entryPoint = 'index.js') => takeSnapshot(folder, entryPoint, cache)

  /** More than the daemon copies on its own thread. */
  function addMany(count = 60): void {
    for (let index = 0; index < count; index += 1) write(path.join(folder, 'many', `${index}.txt`), 'x')
  }

  async function refusal(work: Promise<unknown>): Promise<PhantomError> {
    const error: unknown = await work.then(
      () => null,
      (reason: unknown) => reason,
    )
    if (!isPhantomError(error)) throw new Error('Cannot find a refusal', { cause: error })
    expect(error.code).to.equal('PLUGIN_START_FAILED')
    return error
  }

  for (const [size, prepare] of [
    ['few files', () => undefined],
    ['many files', () => addMany()],
  ] as const) {
    it(`of ${size} keeps their content, modes, links and empty folders, once`, async () => {
      prepare()
      write(path.join(folder, 'private/key'), 'k')
      fs.chmodSync(path.join(folder, 'private'), 0o700)
      fs.mkdirSync(path.join(folder, 'empty'), { mode: 0o755 })
      fs.symlinkSync('index.js', path.join(folder, 'link'))
      write(path.join(folder, '.git/HEAD'), 'x')
      fs.chmodSync(path.join(folder, 'index.js'), 0o600)
      const { directory } = await take()
      const copy = directory!
      const modeOf = (name: string) => fs.statSync(path.join(copy, name)).mode & 0o777
      expect(fs.readFileSync(path.join(copy, 'index.js'), 'utf8')).to.equal('export default 1')
      expect([modeOf('.'), modeOf('private'), modeOf('empty'), modeOf('index.js')]).to.deep.equal([
        0o755, 0o700, 0o755, 0o600,
      ])
      expect(fs.readlinkSync(path.join(copy, 'link'))).to.equal('index.js')
      expect(fs.readdirSync(copy)).to.not.include('.git')
      const { ino } = fs.statSync(copy)
      expect((await take()).directory).to.equal(copy)
      expect(fs.statSync(copy).ino).to.equal(ino)
      expect(fs.readdirSync(cache)).to.have.length(1)
    })

    it(`of ${size} is another one after a folder was closed, and closed as a whole where the folder is`, async () => {
      prepare()
      const open = await take()
      fs.chmodSync(folder, 0o700)
      const closed = await take()
      expect(closed.directory).to.not.equal(open.directory)
      expect(fs.statSync(closed.directory!).mode & 0o777).to.equal(0o700)
    })

    it(`of ${size} is refused in words that name a file whose name is no UTF-8`, async () => {
      prepare()
      fs.writeFileSync(Buffer.concat([Buffer.from(`${folder}/odd`), Buffer.from([0xff])]), 'x')
      const { message } = await refusal(take())
      expect(message).to.include(`${folder}/odd`).and.include('no UTF-8').and.include('Rename it')
      expect(fs.existsSync(cache)).to.equal(false)
    })
  }

  it('strips the types of sources, not of declarations', async () => {
    write(path.join(folder, 'index.ts'), 'const x: number = 1\nexport default x')
    write(path.join(folder, 'index.d.ts'), 'export const x: number')
    const { directory } = await take('index.ts')
    expect(fs.readFileSync(`${directory}/index.ts`, 'utf8')).to.equal('const x         = 1\nexport default x')
    expect(fs.readFileSync(`${directory}/index.d.ts`, 'utf8')).to.equal('export const x: number')
  })

  it('is refused for syntax that cannot be stripped, and leaves nothing', async () => {
    write(path.join(folder, 'index.ts'), 'enum A { a }')
    const { message, details } = await refusal(take('index.ts'))
    expect(message).to.include(`"${folder}/index.ts"`).and.include('erasable TypeScript')
    expect(details).to.deep.equal({ deterministic: true })
    expect(fs.readdirSync(cache)).to.deep.equal([])
  })

  it('of a source that breaks the stripper is refused by its name, again and again, and alone', async () => {
    write(path.join(folder, 'index.ts'), 'const x: number = 1')
    const hostile = path.join(root, 'hostile')
    write(path.join(hostile, 'deep.ts'), `const a = ${'['.repeat(200_000)}`)
    for (let time = 0; time < 3; time += 1) {
      const { message } = await refusal(takeSnapshot(hostile, 'deep.ts', path.join(root, 'other')))
      expect(message).to.include(`"${hostile}/deep.ts"`).and.include('nested too deeply')
    }
    expect((await take('index.ts')).directory).to.be.a('string')
  })

  it('is given up when its deadline is over, and its half is removed', async () => {
    for (let index = 0; index < 2000; index += 1)
      write(path.join(folder, `${index}.ts`), 'const x: number = 1')
    const task = { directory: folder, cacheDirectory: cache, isTypeScript: true }
    const { message } = await refusal(takeInThread(task, 150))
    expect(message).to.include(folder).and.include('longer than 0.15 s')
    expect(fs.existsSync(cache) ? fs.readdirSync(cache) : []).to.deep.equal([])
  })

  it('counts folders like files', async () => {
    for (let index = 0; index <= MAX_ENTRIES; index += 1) fs.mkdirSync(path.join(folder, `${index}`))
    const { directory, notice } = await take()
    expect(directory).to.equal(null)
    expect(notice).to.include(`more than ${MAX_ENTRIES} files and folders`)
    write(path.join(folder, 'index.ts'), '')
    expect((await refusal(take('index.ts'))).message).to.include('files and folders')
  })

  it('is made, or refused in words, while files come and go', async () => {
    addMany(300)
    const churn = `const fs = require('node:fs')
      for (let i = 0; ; i += 1) { fs.writeFileSync('t' + i, 'x'); if (i > 2) fs.rmSync('t' + (i - 3)) }`
    const child = spawn(process.execPath, ['-e', churn], { cwd: folder, stdio: 'ignore' })
    try {
      await until(() => fs.existsSync(path.join(folder, 't9')) || fs.readdirSync(folder).length > 3, 'churn')
      for (let time = 0; time < 10; time += 1) {
        // The folder may change in the second attempt, too: what counts is that it is said in words.
        const error = await take().then(
          () => null,
          (reason: unknown) => reason,
        )
        if (error !== null) expect(error).to.have.property('code', 'PLUGIN_START_FAILED')
      }
    } finally {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    expect((await take()).directory).to.be.a('string')
  })

  it('of what the daemon may not read is refused by name', async function () {
    if (process.getuid?.() !== 0) return skipBecause.call(this, 'only root can become another user')
    write(path.join(folder, 'closed/x'), 'x')
    fs.chmodSync(path.join(folder, 'closed'), 0o700)
    fs.chmodSync(root, 0o777)
    process.seteuid!(65534)
    const error = await refusal(take()).finally(() => process.seteuid!(0))
    expect(error.message).to.include(`"${folder}/closed"`).and.include('may not read it')
  })

  it('of many files stops the calls of no other plugin', async () => {
    const files: Record<string, string> = {
      'plugins/quick/plugin.toml': manifestText('quick'),
      'plugins/quick/index.js': 'export default { operations: { fine: () => "fine" } }\n',
      'plugins/large/plugin.toml': manifestText('large'),
      'plugins/large/index.js': 'export default { operations: { fine: () => "fine" } }\n',
    }
    for (let index = 0; index < MANY_FILES; index += 1) files[`plugins/large/many/${index}.txt`] = 'x'
    const daemon = await TestDaemon.start({ files })
    try {
      await daemon.call('quick', 'fine')
      const progress = { isOver: false }
      const start = daemon.call('large', 'fine').finally(() => (progress.isOver = true))
      let longestMs = 0
      let calls = 0
      while (!progress.isOver) {
        const begunMs = performance.now()
        expect((await daemon.call('quick', 'fine')).result).to.equal('fine')
        longestMs = Math.max(longestMs, performance.now() - begunMs)
        calls += 1
      }
      expect((await start).result).to.equal('fine')
      expect(calls).to.be.above(10)
      expect(longestMs).to.be.below(MAX_PAUSE_MS)
    } finally {
      await daemon.stop()
    }
  })
})
