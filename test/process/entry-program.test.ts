import { spawnSync, type SpawnSyncReturns } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { expect } from 'chai'
import { entryProgram, type EntryRequest } from '../../host/sandbox/entry/entry-program.ts'
import { isSeccompArch } from '../../host/sandbox/seccomp/seccomp-program.ts'
import { skipBecause } from '../helpers/skip.ts'

const MIB = 1024 * 1024
const isRoot = process.getuid?.() === 0
const arch = isSeccompArch(process.arch) ? process.arch : null
const lastCapability = Number(fs.readFileSync('/proc/sys/kernel/cap_last_cap', 'utf8'))
const LIMITS: EntryRequest['rlimits'] = {
  data: 3 * 1024 * MIB + 1,
  nofile: 61,
  nproc: null,
  fsize: 5 * MIB,
  stack: 8 * MIB,
  core: 0,
}
const IDENTITY = { uid: 0x7fff_fff0, gid: 0x7fff_fff1 }

describe('entryProgram()', () => {
  let folder: string

  before(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-entry-'))
    fs.chmodSync(folder, 0o755)
  })
  after(() => fs.rmSync(folder, { recursive: true }))

  /** Runs `command` through the program, as the sandbox does; `emulator` reads another architecture. */
  function run(
    request: Partial<EntryRequest>,
    command: readonly string[],
    emulator: readonly string[] = [],
  ): SpawnSyncReturns<string> {
    const filter = { arch: arch ?? 'x64', process: false, network: false }
    const bytes = entryProgram({
      rlimits: LIMITS,
      identity: null,
      mounts: [],
      lastCapability,
      filter,
      listener: null,
      gate: null,
      ...request,
    })
    const file = path.join(folder, 'enter')
    fs.writeFileSync(file, bytes, { mode: 0o755 })
    const [name = '', ...args] = [...emulator, file, ...command]
    return spawnSync(name, args, { encoding: 'utf8', env: { GIVEN: 'yes' } })
  }

  function statusOf({ stdout }: SpawnSyncReturns<string>): Record<string, string> {
    return Object.fromEntries(stdout.split('\n').map((line) => line.split(/:\s*/) as [string, string]))
  }

  before(function () {
    if (arch === null) skipBecause.call(this, `no instructions for ${process.arch}`)
  })

  it('takes limits that cannot be raised again, and keeps arguments and environment', () => {
    const { stdout } = run({}, ['/bin/cat', '/proc/self/limits'])
    expect(stdout).to.match(/^Max data size +3221225473 +3221225473 /m)
    expect(stdout).to.match(/^Max open files +61 +61 /m)
    expect(stdout).to.match(/^Max file size +5242880 +5242880 /m)
    expect(stdout).to.match(/^Max core file size +0 +0 /m)
    expect(run({}, ['/usr/bin/env']).stdout).to.equal('GIVEN=yes\n')
    expect(run({}, ['/bin/echo', 'a b', '', 'ü']).stdout).to.equal('a b  ü\n')
  })

  it('forbids new privileges and loads the filter also where it keeps the uid', () => {
    const status = statusOf(run({}, ['/bin/cat', '/proc/self/status']))
    expect(status).to.include({ NoNewPrivs: '1', Seccomp: '2', Seccomp_filters: '1' })
    expect(status['Uid']?.split('\t')[0]).to.equal(String(process.getuid?.()))
  })

  it('becomes another uid for good, without a group, a capability or a way to one', function () {
    if (!isRoot) skipBecause.call(this, 'only root can become somebody else')
    const status = statusOf(run({ identity: IDENTITY }, ['/bin/cat', '/proc/self/status']))
    expect(status['Uid']).to.equal(Array(4).fill(IDENTITY.uid).join('\t'))
    expect(status['Gid']).to.equal(Array(4).fill(IDENTITY.gid).join('\t'))
    expect(status['Groups']?.trim()).to.equal('')
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'])
      expect(status[set], set).to.match(/^0+$/)
    expect(status['NoNewPrivs']).to.equal('1')
  })

  it('is another uid in each program, whatever was kept of those before it', function () {
    if (!isRoot) skipBecause.call(this, 'only root can become somebody else')
    for (const uid of [70_001, 0x1234_5678, 70_001]) {
      const status = statusOf(run({ identity: { uid, gid: uid + 1 } }, ['/bin/cat', '/proc/self/status']))
      expect(status['Uid']).to.equal(Array(4).fill(uid).join('\t'))
      expect(status['Gid']).to.equal(
        Array(4)
          .fill(uid + 1)
          .join('\t'),
      )
    }
  })

  it('runs nothing, and says why, when the kernel refuses a step', () => {
    const refused = run({ rlimits: { ...LIMITS, nofile: 2 ** 40 } }, ['/bin/echo', 'it runs'])
    expect(refused.status).to.equal(126)
    expect(refused.stdout).to.equal('')
    expect(refused.stderr).to.equal(
      'Cannot start the runner with RLIMIT_NOFILE 1099511627776: the kernel refused it\n',
    )
    const missing = run({}, ['/nonexistent'])
    expect(missing.status).to.equal(126)
    expect(missing.stderr).to.equal('Cannot start the runner: the kernel refused to execute it\n')
  })

  it('closes files and folders before anything else, and runs nothing where that is refused', function () {
    if (!isRoot) skipBecause.call(this, 'only root can mount')
    const own = ['unshare', '--mount', '--propagation', 'private']
    const [file, inner, way] = ['secret', 'settings', 'way'].map((name) => path.join(folder, name)) as [
      string,
      string,
      string,
    ]
    fs.writeFileSync(file, 'of the host')
    for (const each of [inner, way]) fs.mkdirSync(each)
    const mounts: EntryRequest['mounts'] = [
      { kind: 'cover', at: file },
      { kind: 'empty', at: way },
      { kind: 'empty', at: inner },
      { kind: 'seal', at: inner },
    ]
    const { stdout, stderr } = run({ mounts, identity: IDENTITY }, ['/bin/cat', '/proc/self/mountinfo'], own)
    expect(stderr).to.equal('')
    const flagsAt = (at: string): string | undefined =>
      stdout
        .split('\n')
        .findLast((line) => line.split(' ')[4] === at)
        ?.split(' ')[5]
    for (const at of [file, way, inner]) expect(flagsAt(at), at).to.match(/^ro,nosuid,nodev/)
    expect(run({ mounts, identity: IDENTITY }, ['/bin/cat', file], own).stdout).to.equal('')
    expect(fs.readFileSync(file, 'utf8'), 'in that namespace alone').to.equal('of the host')
    const refused = run({ mounts: [{ kind: 'seal', at: way }] }, ['/bin/echo', 'it runs'], own)
    expect([refused.status, refused.stdout]).to.deep.equal([126, ''])
    expect(refused.stderr).to.equal(`Cannot start the runner with ${way} closed: the kernel refused it\n`)
  })

  it('does not go on as root where it may not become the uid', function () {
    if (isRoot) skipBecause.call(this, 'root may become anybody')
    const { status, stdout, stderr } = run({ identity: IDENTITY }, ['/bin/echo', 'it runs'])
    expect([status, stdout]).to.deep.equal([126, ''])
    expect(stderr).to.include('the kernel refused it')
  })

  it('speaks arm64 as well', function () {
    const emulator = ['qemu-aarch64']
    if (spawnSync(emulator[0]!, ['--version']).error !== undefined)
      skipBecause.call(this, 'qemu-aarch64 is not installed')
    // The emulator makes every call itself; it knows no filter, so there the program has to stop, and say so.
    const filter = { arch: 'arm64', process: false, network: false } as const
    const request = { filter, rlimits: { ...LIMITS, data: 8 * 1024 * MIB } }
    const { status, stderr } = run(request, ['/bin/echo', 'it runs'], ['qemu-aarch64', '-strace'])
    for (const call of ['prctl(38,1,0,0,0', 'prctl(22,2,', 'exit_group(126)']) expect(stderr).to.include(call)
    expect(stderr).to.match(/prlimit64\(0,7,\d+,0,0,0\) = 0/)
    expect(stderr).to.include('Cannot start the runner with a filter of system calls')
    expect(status).to.equal(126)
  })

  it('becomes its own uid on arm64 as well', function () {
    if (!isRoot) skipBecause.call(this, 'only root can become somebody else')
    if (spawnSync('qemu-aarch64', ['--version']).error !== undefined)
      skipBecause.call(this, 'qemu-aarch64 is not installed')
    const filter = { arch: 'arm64', process: false, network: false } as const
    const rlimits = { ...LIMITS, data: 8 * 1024 * MIB }
    for (const uid of [70_001, 0x1234_5678]) {
      const request = { filter, rlimits, identity: { uid, gid: uid + 1 } }
      const { stderr } = run(request, ['/bin/echo', 'it runs'], ['qemu-aarch64', '-strace'])
      expect(stderr).to.include(`setresgid(${Array(3).fill(request.identity.gid).join(',')}) = 0`)
      expect(stderr).to.include(`setresuid(${Array(3).fill(uid).join(',')}) = 0`)
    }
  })
})
