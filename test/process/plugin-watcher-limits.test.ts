import { expect } from 'chai'
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { isIgnoredPath } from '../../host/watch/ignored-path.ts'
import { watchLimitOf, watchProblem } from '../../host/watch/watch-problem.ts'
import { until } from '../helpers/daemon.ts'
import { skipBecause } from '../helpers/skip.ts'
import { makePlugin, WatchedFolders } from './plugin-watcher-driver.ts'

const FIXTURE = fileURLToPath(import.meta.resolve('../fixtures/watch/watcher.ts'))

describe('PluginWatcher, its limits and its end', () => {
  const folders = new WatchedFolders()
  const { base } = folders
  const children: ChildProcess[] = []

  afterEach(async () => {
    await folders.closeWatchers()
    for (const child of children.splice(0)) child.kill('SIGKILL')
  })
  after(() => folders.remove())

  it('polls what gets no watch, says once which limit to raise, and misses nothing', async function () {
    this.timeout(40_000)
    const limited = spawnSync('unshare', [...limitedTo('watches', 2), 'true'], { encoding: 'utf8' })
    if (limited.status !== 0)
      skipBecause.call(this, `no private inotify limits here: ${limited.stderr.trim()}`)
    for (const [kind, limit] of [
      ['watches', 3],
      ['watches', 0],
      ['instances', 0],
    ] as const) {
      const root = path.join(base, `limited-${kind}-${limit}`)
      for (const name of ['a', 'b', 'c']) makePlugin(path.join(root, name))
      const told = startFixture(root, 'c', limitedTo(kind, limit))
      await until(() => told.lines.includes('ready'), 'the watcher')
      expect(told.lines.filter((line) => line.startsWith('error'))).to.have.length(1)
      expect(told.lines[0]).to.contain(`fs.inotify.max_user_${kind}`).and.contain('polled every 40 ms')
      await told.expect('changed c', () => fs.appendFileSync(path.join(root, 'c', 'src', 'deep.ts'), 'x'))
      await told.expect('changed b', () => fs.appendFileSync(path.join(root, 'b', 'plugin.toml'), 'x'))
      await told.expect('removed a', () => fs.rmSync(path.join(root, 'a'), { recursive: true }))
      await told.expect('added a', () => makePlugin(path.join(root, 'a')))
      await told.end()
    }
  })

  it('leaves nothing behind that keeps the process alive', async () => {
    const root = path.join(base, 'ending')
    for (const name of ['a', 'b']) makePlugin(path.join(root, name))
    const told = startFixture(root, 'b', [])
    await until(() => told.lines.includes('ready'), 'the watcher')
    fs.appendFileSync(path.join(root, 'a', 'plugin.toml'), 'x')
    await told.end()
  })

  it('begins no report after it was closed, though one was due', async () => {
    const started: string[] = []
    const gate = Promise.withResolvers<void>()
    const first = await folders.open({
      onChanged: async (directory) => {
        started.push(directory)
        await gate.promise
      },
    })
    fs.appendFileSync(first.manifest, '#')
    await until(() => started.length === 1, 'the first report')
    const own = fs.watch(first.one)
    fs.appendFileSync(first.manifest, '#')
    await once(own, 'change')
    own.close()
    await first.watcher.close()
    gate.resolve()
    const second = await folders.open()
    await second.expectReports()
    expect(started).to.eql([first.one])
  })

  it('knows limits from other errors', () => {
    const withCode = (code: string) => Object.assign(new Error(`${code}: no`), { code })
    expect(watchLimitOf(withCode('ENOSPC'))).to.equal('fs.inotify.max_user_watches')
    expect(watchLimitOf(withCode('EMFILE'))).to.equal('fs.inotify.max_user_instances')
    expect(watchLimitOf(withCode('EACCES'))).to.equal(null)
    expect(watchLimitOf('ENOSPC')).to.equal(null)
    expect(watchProblem('/p', withCode('EACCES'), 10).message).to.match(
      /^Cannot watch "\/p": EACCES: no\. .*read it/,
    )
  })

  it('knows the files of editors from others', () => {
    const ignored = [
      'a~',
      'src/.a.ts.swp',
      '.a.swx',
      '4913',
      'x/.#a',
      '.git/HEAD',
      'a/.git',
      'node_modules/.cache/a',
    ]
    const seen = [
      'a.ts',
      '.swp',
      'a.swp',
      '49130',
      '.cache/a',
      'node_modules/a/index.js',
      '.gitignore',
      '.env',
    ]
    expect(ignored.filter((name) => !isIgnoredPath(name))).to.eql([])
    expect(seen.filter(isIgnoredPath)).to.eql([])
  })

  /** The fixture in a process of its own, which must end by itself once it closed its watcher. */
  function startFixture(root: string, deep: string, prefix: readonly string[]) {
    const command = [
      ...(prefix.length === 0 ? [] : ['unshare', ...prefix]),
      process.execPath,
      FIXTURE,
      root,
      path.join(root, deep),
    ]
    const child = spawn(command[0] ?? '', command.slice(1), { stdio: ['pipe', 'pipe', 'inherit'] })
    children.push(child)
    const lines: string[] = []
    let text = ''
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
      lines.splice(0, lines.length, ...text.split('\n').slice(0, -1))
    })
    return {
      lines,
      async expect(report: string, act: () => void) {
        const before = lines.length
        act()
        const [word = '', name = ''] = report.split(' ')
        const line = `${word} ${path.join(root, name)}`
        await until(() => lines.length > before, line)
        expect(lines.slice(before)).to.eql([line])
      },
      async end() {
        const exit = once(child, 'exit')
        child.stdin.write('close\n')
        expect(await exit).to.eql([0, null])
      },
    }
  }
})

/** Arguments of unshare: a user namespace counts its own watches, and may lower its own limits. */
function limitedTo(kind: 'watches' | 'instances', limit: number): string[] {
  const script = `echo ${limit} > /proc/sys/user/max_inotify_${kind} && exec "$@"`
  return ['--user', '--map-root-user', 'sh', '-c', script, 'sh']
}
