import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { expect } from 'chai'

import { findHostFiles } from '../../host/sandbox/host-folders.ts'
import { openBind } from '../../host/sandbox/open-bind.ts'
import type { RunnerPlan } from '../../host/sandbox/plan-runner.ts'
import type { Permission } from '../../src/contract/permission.ts'
import { skipBecause } from '../helpers/skip.ts'
import { runPlan, SandboxWorld, type DaemonKind } from './sandbox-world.ts'

const READ_DATA: Permission = { kind: 'fs_read', declared: 'fs_read:./data', path: './data' }
type Said = Record<string, string>

const kinds: DaemonKind[] = process.getuid?.() === 0 ? ['root', 'ordinary'] : ['ordinary']
for (const daemon of kinds) {
  describe(`what a daemon of kind "${daemon}" mounts`, () => {
    const world = new SandboxWorld(daemon)
    before(async function () {
      await world.open()
      const { tier, reasonNoNamespace } = world.machine
      if (tier === 'process') skipBecause.call(this, `no namespaces here: ${reasonNoNamespace}`)
    })
    after(() => world.close())
    swaps(world)
    surface(world)
  })
}

function swaps(world: SandboxWorld): void {
  const data = (): string => path.join(world.workspace, 'data')
  const aside = (): string => path.join(world.workspace, 'aside')
  const hidden = (): string => path.join(world.workspace, 'private')
  afterEach(() => {
    if (!fs.existsSync(aside())) return
    fs.unlinkSync(data())
    fs.renameSync(aside(), data())
  })

  /** As somebody would who may write the folder above: between the daemon's check and bubblewrap's mount. */
  function swappedWhileStarting(plan: RunnerPlan): RunnerPlan {
    const swap = '/bin/mv "$1" "$2" && /bin/ln -s "$3" "$1" && shift 3 && exec "$@"'
    const words = ['-c', swap, 'sh', data(), aside(), hidden(), plan.file]
    return { ...plan, file: '/bin/sh', args: [...words, ...plan.args] }
  }
  const input = (): object => ({ list: [data()] })
  const readsData = (): object => ({ permissions: [READ_DATA], kernelOnly: true, input: input() })

  it('is the folder that was checked, also when a link takes its place before it is mounted', async function () {
    if (!world.machine.hasBindFd) skipBecause.call(this, 'this bubblewrap mounts by path only')
    const plan = swappedWhileStarting(world.plan('attempts.cjs', readsData()))
    const { stdout, stderr } = await runPlan(plan, null)
    expect(stderr).to.equal('')
    expect((JSON.parse(stdout) as Said)[`list ${data()}`]).to.equal('got given.txt,link')
  })

  it('would be another one if it were mounted by its path', async () => {
    const machine = { hasBindFd: false }
    const plan = swappedWhileStarting(world.plan('attempts.cjs', { ...readsData(), machine }))
    const { stdout } = await runPlan(plan, null)
    expect((JSON.parse(stdout) as Said)[`list ${data()}`], 'the attempt itself works').to.equal(
      'got kept.txt',
    )
  })

  it('is refused when a link has taken its place, or the place of a folder above it, since it was checked', async function () {
    if (!world.machine.hasBindFd) skipBecause.call(this, 'this bubblewrap mounts by path only')
    const plan = world.plan('attempts.cjs', readsData())
    fs.renameSync(data(), aside())
    fs.symlinkSync(hidden(), data())
    const failure = await runPlan(plan, null).catch((error: unknown) => error)
    expect(failure).to.include({ code: 'PLUGIN_START_FAILED' })
    expect(String(failure)).to.include(`Cannot mount "${data()}": since it was checked`)
    fs.mkdirSync(path.join(hidden(), 'below'))
    expect(() => openBind(path.join(data(), 'below'))).to.throw(
      `it leads to "${path.join(hidden(), 'below')}" now`,
    )
    expect(() => openBind(path.join(data(), 'gone'))).to.throw("it can't be opened (ENOENT)")
  })

  it('is no pipe or socket that has taken the place of a file', () => {
    const pipe = path.join(world.workspace, 'pipe')
    expect(spawnSync('mkfifo', [pipe]).status).to.equal(0)
    expect(() => openBind(pipe)).to.throw('it is no file or folder any more')
  })

  it('leaves no descriptor open in the daemon', () => {
    const count = (): number => fs.readdirSync('/proc/self/fd').length
    const before = count()
    for (let round = 0; round < 5; round++) fs.closeSync(openBind(data()))
    for (let round = 0; round < 5; round++) expect(() => openBind('/nowhere')).to.throw('ENOENT')
    expect(count()).to.equal(before)
  })
}

function surface(world: SandboxWorld): void {
  it('covers the files of /proc that tell of the host', async function () {
    const files = findHostFiles()
    if (files.length === 0) skipBecause.call(this, 'this /proc has none')
    const said = await world.report<Said>('attempts.cjs', { kernelOnly: true, input: { read: files } })
    for (const file of files) expect(said[`read ${file}`], file).to.be.oneOf(['EACCES', 'got '])
  })

  it('is a /dev of three devices, without terminals and shared memory', async () => {
    const input = {
      list: ['/dev'],
      open: ['/dev/zero', '/dev/tty', '/dev/ptmx', '/dev/shm', '/dev/mem', '/dev/null'],
    }
    const said = await world.report<Said>('attempts.cjs', { kernelOnly: true, input })
    expect(said['list /dev']).to.equal('got fd,null,random,stderr,stdin,stdout,urandom')
    for (const file of input.open.slice(0, -1)) expect(said[`open ${file}`], file).to.equal('ENOENT')
    expect(said['open /dev/null']).to.equal('got undefined')
  })
}
