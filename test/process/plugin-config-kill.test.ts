import { expect } from 'chai'
import { build, stop } from 'esbuild'
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { parse } from 'yaml'
import { PluginConfigStore } from '../../host/config/plugin/plugin-config-store.ts'
import { patternOf } from '../fixtures/plugin-config/pattern.ts'
import { skipBecause } from '../helpers/skip.ts'

const FIXTURES = path.resolve(import.meta.dirname, '../fixtures/plugin-config')
const KILLS = 100
/** Each has a folder of its own; two keep both cores of a small machine busy. */
const LANES = 2
/** What the folder of the configuration tells of an update and a half: a new file, what is written into it, its new name. */
const MAX_SEEN_EVENTS = 9
const NOBODY = 65534
const SMALL_TMPFS = 'size=64k'

interface Outcome {
  readonly code: string
  readonly message: string
  readonly warning: string | null
  readonly revision: number | null
  readonly left: string[]
  readonly text: string
}

describe('PluginConfigStore, when its process or its disk fails', function () {
  this.timeout(90_000)
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-config-kill-'))
  after(() => fs.rmSync(root, { recursive: true, force: true }))

  /** A hundred starts from one file each take a quarter of the time. */
  const updateLoop = path.join(root, 'update-loop.mjs')
  before(async () => {
    // The package `yaml` is CommonJS and asks for node's modules.
    const js = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url)"
    const options = {
      bundle: true,
      platform: 'node',
      format: 'esm',
      banner: { js },
      logLevel: 'error',
    } as const
    await build({ ...options, entryPoints: [path.join(FIXTURES, 'update-loop.ts')], outfile: updateLoop })
    await stop()
  })

  function foldersOf(name: string): { folder: string; revisionsFolder: string } {
    const folder = path.join(root, name, 'config')
    const revisionsFolder = path.join(root, name, 'revisions')
    for (const made of [folder, revisionsFolder]) fs.mkdirSync(made, { recursive: true })
    return { folder, revisionsFolder }
  }

  it(`leaves the old file or the new one, whole, and revisions that are whole, after each of ${KILLS} kill -9`, async () => {
    halves = 0
    const lanes = Array.from({ length: LANES }, (_, lane) => killAgainAndAgain(`lane-${lane}`))
    // The other one must have ended before its folder goes.
    await Promise.allSettled(lanes)
    const counters = (await Promise.all(lanes)).flat()
    expect(counters).to.have.length(KILLS)
    expect(halves, 'kills that met a write').to.be.above(KILLS / 20)
  })

  let halves = 0

  async function killAgainAndAgain(name: string): Promise<number[]> {
    const { folder, revisionsFolder } = foldersOf(name)
    const counters: number[] = []
    let last = 0
    while (counters.length < KILLS / LANES) {
      await killWhileUpdating(folder, [updateLoop, folder, revisionsFolder, String(last + 1)])
      const found = wholeCounter(fs.readFileSync(path.join(folder, 'x.yaml'), 'utf8'))
      expect(found).to.be.at.least(last + 1)
      halves += fs.readdirSync(folder).filter((entry) => entry.endsWith('.tmp')).length
      expectWholeRevisions(path.join(revisionsFolder, 'x'))
      counters.push(found)
      last = found
    }
    await expectSettled(folder, revisionsFolder, last)
    return counters
  }

  it('names the path and leaves the old file alone when the disk is full', function () {
    const { folder, revisionsFolder } = foldersOf('full')
    // The configuration lies on the small disk, its revisions beside it on one that has room, and the other way.
    for (const full of [folder, revisionsFolder]) {
      fs.rmSync(path.join(revisionsFolder, 'x'), { recursive: true, force: true })
      fs.writeFileSync(path.join(folder, 'x.yaml'), 'a: 1\n')
      const outcome = onTmpfs.call(this, {
        mounted: full,
        options: SMALL_TMPFS,
        folder,
        revisionsFolder,
        chars: 200_000,
      })
      expect(outcome.code).to.equal('INTERNAL_ERROR')
      expect(outcome.message)
        .to.match(/^Cannot write ".+": the disk is full \(ENOSPC\)\. The old file stands/)
        .and.to.contain(full)
      expect(outcome.text).to.equal('a: 1\n')
      expect(outcome.left.filter((entry) => entry.endsWith('.tmp'))).to.eql([])
      expect(outcome).to.include({ warning: null, revision: 1 })
    }
  })

  it('still reads on a disk that became read-only, and says why it cannot write', function () {
    const { folder, revisionsFolder } = foldersOf('read-only')
    fs.writeFileSync(path.join(folder, 'x.yaml'), 'a: 1\n')
    const outcome = onTmpfs.call(this, {
      mounted: revisionsFolder,
      options: 'ro',
      folder,
      revisionsFolder,
      chars: 10,
    })
    expect(outcome).to.include({ code: 'INTERNAL_ERROR', text: 'a: 1\n', revision: null })
    expect(outcome.message).to.contain('read-only (EROFS)')
    expect(outcome.warning).to.contain('read-only (EROFS)')
    expect(outcome.left).to.eql(['x.yaml'])
  })

  it('says so where it may not write into the folder', () => {
    const { folder, revisionsFolder } = foldersOf('forbidden')
    fs.writeFileSync(path.join(folder, 'x.yaml'), 'a: 1\n', { mode: 0o644 })
    for (const opened of [root, path.dirname(folder)]) fs.chmodSync(opened, 0o755)
    fs.chmodSync(folder, 0o555)
    fs.chmodSync(revisionsFolder, 0o777)
    const uid = process.getuid?.() === 0 ? [String(NOBODY)] : []
    const args = [path.join(FIXTURES, 'failing-disk.ts'), folder, revisionsFolder, '10', ...uid]
    const outcome = JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' })) as Outcome
    fs.chmodSync(folder, 0o755)
    expect(outcome.code).to.equal('INTERNAL_ERROR')
    expect(outcome.message).to.contain(`"${folder}/x.yaml": the daemon has no right to it (EACCES)`)
    expect(outcome.text).to.equal('a: 1\n')
    expect(outcome.left.toSorted()).to.eql(['x', 'x.yaml', 'x/1.yaml'])
  })
})

/** At once when something happens in the folder: a moment chosen by the clock would seldom be one of writing. */
async function killWhileUpdating(folder: string, args: readonly string[]): Promise<void> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(child, 'exit')
  await Promise.race([once(child.stdout, 'data'), ended])
  let eventsLeft = Math.floor(Math.random() * MAX_SEEN_EVENTS)
  const watcher = fs.watch(folder, () => (eventsLeft -= 1) < 0 && child.kill('SIGKILL'))
  const [, signal] = (await ended) as [number | null, string | null]
  watcher.close()
  expect(signal).to.equal('SIGKILL')
}

/** The counter of a file that is whole; throws otherwise. */
function wholeCounter(text: string): number {
  const { counter, filling } = parse(text) as { counter: number; filling: string }
  expect(filling).to.equal(patternOf(counter))
  expect(text.endsWith('\n')).to.equal(true)
  return counter
}

function expectWholeRevisions(folder: string): void {
  const names = fs.readdirSync(folder).filter((name) => !name.endsWith('.tmp'))
  expect(names.length).to.be.within(1, 21)
  for (const name of names) {
    expect(name).to.match(/^\d+\.yaml$/)
    const text = fs.readFileSync(path.join(folder, name), 'utf8')
    expect(text).to.match(/^# phantom \{"at":"[^"]+","source":"(update|file)"\}\n/)
    wholeCounter(text)
  }
}

/** The next writer keeps what was in force when the last one died, and takes away what that left behind. */
async function expectSettled(folder: string, revisionsFolder: string, last: number): Promise<void> {
  const store = new PluginConfigStore({ folder, revisionsFolder, now: () => new Date().toISOString() })
  await store.update('x', { filling: null }, { check: async () => undefined })
  const history = await store.history('x')
  expect(history[0]?.text).to.equal(`counter: ${last}\n`)
  expect(wholeCounter(history[1]?.text ?? '')).to.equal(last)
  const left = [...fs.readdirSync(folder), ...fs.readdirSync(path.join(revisionsFolder, 'x'))]
  expect(left.filter((name) => name.endsWith('.tmp'))).to.eql([])
}

/** In a mount namespace of its own: nothing is mounted outside, and what was mounted ends with the process. */
function onTmpfs(
  this: Mocha.Context,
  disk: { mounted: string; options: string; folder: string; revisionsFolder: string; chars: number },
): Outcome {
  const { mounted, options, folder, revisionsFolder, chars } = disk
  const unshare = [
    ...(process.getuid?.() === 0 ? [] : ['-U', '-r']),
    '-m',
    '--propagation',
    'private',
    'sh',
    '-c',
  ]
  // What lay in the folder is on the new disk, too; read-only it is empty.
  const script = `cp -a "$1" "$1.copy" && mount -t tmpfs -o "$0" tmpfs "$1" &&
    { [ "$0" = ro ] || cp -a "$1.copy/." "$1/"; } && shift && exec "$@"`
  const command = [
    process.execPath,
    path.join(FIXTURES, 'failing-disk.ts'),
    folder,
    revisionsFolder,
    String(chars),
  ]
  const trial = spawnSync('unshare', [...unshare, 'mount -t tmpfs tmpfs "$0"', mounted])
  if (trial.status !== 0)
    skipBecause.call(this, 'this machine lets nobody mount a tmpfs in a namespace of its own')
  const run = spawnSync('unshare', [...unshare, script, options, mounted, ...command], { encoding: 'utf8' })
  fs.rmSync(`${mounted}.copy`, { recursive: true, force: true })
  expect(run.status, run.stderr).to.equal(0)
  return JSON.parse(run.stdout) as Outcome
}
