import { execFileSync, spawn, spawnSync, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { expect } from 'chai'
import { pinnedPackage } from '../../../src/client/runtime/pinned-runtime.ts'
import { PACKAGE_VERSION } from '../../../src/contract/version.ts'
import { skipBecause } from '../../helpers/skip.ts'

const ROOT = path.resolve(import.meta.dirname, '../../..')
const SOMEBODY = 64_123

/** Stands where the built CLI stands: says what it runs on, or counts signals until a line comes and exits with their number. */
const MAIN = `
const [, , first, ...rest] = process.argv
if (first !== 'wait') {
  console.log(JSON.stringify({ node: process.versions.node, args: [first, ...rest] }))
  process.exitCode = 42
} else {
  let signals = 0
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => console.log('got', signal, ++signals))
  process.stdin.on('data', () => process.exit(signals))
  console.log('ready, child of ' + process.ppid)
}
`

/** A Node that is too old for the CLI, which is what the launcher is for. */
function oldNode(): string | null {
  for (const folder of (process.env['PATH'] ?? '').split(path.delimiter)) {
    const file = path.join(folder, 'node')
    if (!path.isAbsolute(file) || !fs.existsSync(file)) continue
    const version = spawnSync(file, ['--version'], { encoding: 'utf8' }).stdout
    if (/^v2[0-5]\./.test(version)) return file
  }
  return null
}

describe('launcher', () => {
  let folder = ''
  let launcher = ''
  let old = ''

  before(function () {
    const found = oldNode()
    old = found ?? skipBecause.call(this, 'no Node 20 to 25 is on PATH, so nothing is there to launch from')
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-launcher-'))
    const installed = path.join(folder, 'node_modules/@phantom-ml/core')
    launcher = path.join(installed, 'dist/src/cli/launcher.js')
    const options = ['--bundle', '--platform=node', '--format=esm', '--target=node20', '--log-level=error']
    // The program, not the library: that leaves a service running.
    const esbuild = path.join(ROOT, 'node_modules/esbuild/bin/esbuild')
    execFileSync(esbuild, [path.join(ROOT, 'src/cli/launcher.ts'), `--outfile=${launcher}`, ...options])
    fs.writeFileSync(path.join(path.dirname(launcher), 'main.js'), MAIN)
    fs.copyFileSync(path.join(ROOT, 'package.json'), path.join(installed, 'package.json'))
  })
  after(() => {
    if (folder !== '') fs.rmSync(folder, { recursive: true })
  })

  function launch(args: string[], environment: NodeJS.ProcessEnv = {}, node = old) {
    // Where something is fetched, a test says from where.
    const own = { HOME: folder, XDG_DATA_HOME: path.join(folder, 'data'), PHANTOM_FETCH_RUNTIME: 'false' }
    const env = { PATH: folder, ...own, ...environment }
    const { status, stdout, stderr } = spawnSync(node, [launcher, ...args], { encoding: 'utf8', env })
    return { status, stdout, stderr }
  }

  /** A "node" of our making on PATH. */
  function fakeNode(name: string, script: string): string {
    const file = path.join(folder, name)
    fs.rmSync(file, { force: true })
    fs.writeFileSync(file, `#!/bin/sh\n${script}\n`, { mode: 0o755 })
    return file
  }

  it('fetches nothing for who asks for help: it says what is needed for more', () => {
    const fetching = { PHANTOM_FETCH_RUNTIME: 'true', npm_config_registry: 'http://127.0.0.1:9/' }
    for (const args of [['--help'], [], ['help', 'run'], ['config', 'set', '-h']]) {
      const { status, stdout, stderr } = launch(args, fetching)
      expect({ status, stderr }, args.join(' ')).to.deep.equal({ status: 0, stderr: '' })
      expect(stdout).to.match(/run on Node 26 or newer; this is Node 2\d\.[^]*phantom setup {2,}fetches one/)
    }
    expect(launch(['run', 'a', 'b', '--input', '-h'], { PHANTOM_RUNTIME: '/nothing' }).status).to.equal(7)
  })

  it('says so where the runtime crashes, and takes no empty file for one', () => {
    const crashing = fakeNode('crashing', '[ "$1" = --version ] && echo v26.1.0 || kill -SEGV $$')
    const crashed = launch(['list'], { PHANTOM_RUNTIME: crashing })
    expect(crashed.status).to.equal(139)
    expect(crashed.stderr).to.match(
      /crashing" was ended by SIGSEGV\. If its file is damaged, "phantom setup" fetches/,
    )
    const copy = path.join(folder, 'data/phantom-ml/runtimes', pinnedPackage().id, 'bin/node')
    fs.mkdirSync(path.dirname(copy), { recursive: true })
    fs.writeFileSync(copy, '', { mode: 0o755 })
    const empty = launch(['list'])
    fs.rmSync(path.join(folder, 'data'), { recursive: true })
    expect(empty.status, empty.stderr).to.equal(7)
    expect(empty.stderr).to.include('for a private copy (none)')
  })

  it('runs the CLI in this process on a Node that is new enough', () => {
    const { status, stdout } = launch(['list', '--json'], {}, process.execPath)
    expect(JSON.parse(stdout)).to.deep.equal({ node: process.versions.node, args: ['list', '--json'] })
    expect(status).to.equal(42)
  })

  it('runs itself again on the Node of PHANTOM_RUNTIME, with its arguments, output and exit code', () => {
    const { status, stdout, stderr } = launch(['run', 'a b', '--x'], { PHANTOM_RUNTIME: process.execPath })
    expect(JSON.parse(stdout)).to.deep.equal({ node: process.versions.node, args: ['run', 'a b', '--x'] })
    expect({ status, stderr }).to.deep.equal({ status: 42, stderr: '' })
  })

  it('finds a newer Node on PATH under a name with its number', () => {
    const link = path.join(folder, 'node26')
    fs.symlinkSync(process.execPath, link)
    expect(launch(['list']).status).to.equal(42)
    fs.rmSync(link)
  })

  it('says which Node this is, what it found, what is needed and what to do when there is none', () => {
    const aged = fakeNode('node', 'echo v18.20.0')
    const odd = fakeNode('node27', 'echo hello')
    const { status, stdout, stderr } = launch(['list'])
    fs.rmSync(aged)
    fs.rmSync(odd)
    expect({ status, stdout }).to.deep.equal({ status: 7, stdout: '' })
    expect(stderr).to.include('Node 26 or newer is needed').and.include('PHANTOM_RUNTIME=/path/to/node')
    expect(stderr).to.include(`${aged}: it is Node 18.20.0`)
    expect(stderr).to.include(`${odd}: it does not answer as Node does`)
    expect(stderr).to.match(/this is Node 2[0-5]\.\d+\.\d+/)
    expect(stderr.trimEnd().split('\n')).to.have.length(1)
  })

  it('prints its version all the same', () => {
    const said = { status: 0, stdout: `${PACKAGE_VERSION}\n`, stderr: '' }
    expect(launch(['--version'])).to.deep.equal(said)
    expect(launch(['--plugins', 'x', '-V'])).to.deep.equal(said)
  })

  it('fetches nothing for a TAB, and plans what a setup would fetch', () => {
    expect(launch(['__complete', '--', 's'], { PHANTOM_FETCH_RUNTIME: '' }).status).to.equal(7)
    const planned = launch(['setup', '--dry-run'], { PHANTOM_FETCH_RUNTIME: '' })
    expect(planned.stdout).to.match(
      /^✓ runtime: none here; would fetch Node 26\.\d+\.\d+ .* into .*runtimes\n$/,
    )
    const json = launch(['--plugins', 'x', 'setup', '--dry-run', '--json'])
    expect(JSON.parse(json.stdout)).to.include({ dry_run: true, runtime: null })
    expect([planned.status, json.status]).to.deep.equal([0, 0])
    expect(fs.existsSync(path.join(folder, 'data'))).to.equal(false)
  })

  it('runs a setup on the Node that it is to choose, and says what is wrong with that one', () => {
    const chosen = launch(['setup', '--runtime', process.execPath])
    expect(JSON.parse(chosen.stdout)).to.include({ node: process.versions.node })
    expect(launch(['setup', `--runtime=${process.execPath}`]).status).to.equal(42)
    const { status, stderr } = launch(['setup', '--runtime', old])
    expect(stderr).to.match(/^Cannot use the runtime ".*": it is Node 2[0-5].*Name a Node 26/)
    expect(status).to.equal(7)
  })

  it('runs on what was chosen before all else, and never skips it when it is gone', () => {
    const ours = path.join(folder, 'data/phantom-ml')
    fs.mkdirSync(ours, { recursive: true, mode: 0o755 })
    const choose = (file: string): void =>
      fs.writeFileSync(path.join(ours, 'runtime.json'), JSON.stringify({ path: file }), { mode: 0o644 })
    choose(process.execPath)
    expect(launch(['list']).status).to.equal(42)
    choose('/nowhere/node')
    const { status, stderr } = launch(['list'])
    expect(stderr).to.match(/"phantom setup --runtime" chose, "\/nowhere\/node": there is no such file/)
    expect(launch(['list'], { PHANTOM_RUNTIME: process.execPath }).status).to.equal(42)
    fs.chmodSync(path.join(ours, 'runtime.json'), 0o666)
    expect(launch(['list']).stderr).to.match(/runtime\.json": it may be written by others/)
    fs.chmodSync(path.join(ours, 'runtime.json'), 0o644)
    if (process.getuid?.() === 0) {
      fs.chownSync(ours, SOMEBODY, SOMEBODY)
      expect(launch(['list']).stderr).to.include(`"${ours}" belongs to another user (uid ${SOMEBODY})`)
      fs.chownSync(ours, 0, 0)
    }
    const removed = launch(['setup', '--remove-runtime'])
    expect(removed.stdout).to.equal(`✓ runtime: removed ${path.join(ours, 'runtime.json')}\n`)
    expect([status, removed.status, fs.existsSync(ours)]).to.deep.equal([7, 0, false])
  })

  it('says as JSON alone, on one line, why nothing could be fetched', () => {
    const environment = {
      PHANTOM_FETCH_RUNTIME: 'true',
      npm_config_registry: 'http://127.0.0.1:9/',
      npm_config_fetch_retries: '0',
    }
    const { status, stdout, stderr } = launch(['list', '--json'], environment)
    expect({ status, stdout }).to.deep.equal({ status: 7, stdout: '' })
    const { error } = JSON.parse(stderr) as { error: object }
    expect(error).to.have.nested.property('details.reason').that.is.oneOf(['offline', 'platform', 'other'])
  })

  it('says it as JSON where JSON was asked for', () => {
    const { status, stderr } = launch(['list', '--json'])
    expect(status).to.equal(7)
    expect(JSON.parse(stderr)).to.have.nested.property('error.code', 'RUNTIME_NOT_FOUND')
  })

  it('names a PHANTOM_RUNTIME that is wrong instead of looking elsewhere', () => {
    const notExecutable = path.join(folder, 'plain-file')
    fs.writeFileSync(notExecutable, '')
    fs.symlinkSync(process.execPath, path.join(folder, 'node'))
    const cases: [string, string][] = [
      [path.join(folder, 'nowhere'), 'there is no such file'],
      [notExecutable, 'it may not be executed'],
      [old, 'it is Node 2'],
      [fakeNode('failing', 'exit 3'), '"--version" failed (3)'],
    ]
    for (const [runtime, found] of cases) {
      const { status, stderr } = launch(['list'], { PHANTOM_RUNTIME: runtime })
      expect(stderr).to.include(`PHANTOM_RUNTIME "${runtime}": ${found}`)
      expect(status).to.equal(7)
    }
    fs.rmSync(path.join(folder, 'node'))
  })

  it('passes each signal on once', async () => {
    const child = spawn(old, [launcher, 'wait'], { env: { PHANTOM_RUNTIME: process.execPath } })
    const output = new Output(child)
    await output.shows(/ready/)
    child.kill('SIGINT')
    await output.shows(/got SIGINT/)
    child.kill('SIGTERM')
    await output.shows(/got SIGTERM/)
    child.stdin.write('\n')
    expect(await output.exitCode).to.equal(2)
  })

  it('does not pass on the Ctrl-C that the terminal has sent to both', async function () {
    if (spawnSync('script', ['--version']).status !== 0)
      skipBecause.call(this, '"script" makes the terminal here')
    const command = `exec ${old} ${launcher} wait`
    const env = { PATH: process.env['PATH'], SHELL: '/bin/sh', PHANTOM_RUNTIME: process.execPath }
    const child = spawn('script', ['-qec', command, '/dev/null'], { env })
    const output = new Output(child)
    const [, launcherPid] = await output.shows(/ready, child of (\d+)/)
    child.stdin.write('\u0003')
    await output.shows(/got SIGINT/)
    // Signals go through the launcher in order: once this one is here, a second SIGINT would be, too.
    process.kill(Number(launcherPid), 'SIGTERM')
    await output.shows(/got SIGTERM/)
    child.stdin.write('\n')
    expect(await output.exitCode).to.equal(2)
    child.stdin.end()
  })
})

class Output {
  readonly exitCode: Promise<number | null>
  readonly #child: ChildProcessWithoutNullStreams
  #text = ''

  constructor(child: ChildProcessWithoutNullStreams) {
    this.#child = child
    this.exitCode = once(child, 'close').then(([code]) => code as number | null)
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (this.#text += chunk))
  }

  async shows(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.#text)
      if (match !== null) return match
      await once(this.#child.stdout, 'data')
    }
  }
}
