import { spawn } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { expect } from 'chai'
import { CgroupTree } from '../../../../host/cgroup/cgroup-tree.ts'
import type { InstanceCgroup } from '../../../../host/cgroup/instance-cgroup.ts'
import { findOwnCgroup } from '../../../../host/cgroup/own-cgroup.ts'
import { SILENT_LIMITS } from '../../../../src/contract/manifest/silent-limits.ts'

const MEBIBYTE = 1_048_576

/**
 * A plain folder stands in for a part of the unified hierarchy: what is tried is which files are written, with what and
 * in which order. No kernel holds anything to it here.
 */
describe('CgroupTree on a folder that stands in for cgroup v2', () => {
  let folder = ''
  const at = (...names: string[]): string => path.join(folder, ...names)
  const read = (...names: string[]): string => fs.readFileSync(at(...names), 'utf8')
  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-cgroup-'))
    fs.writeFileSync(at('cgroup.controllers'), 'cpuset cpu io memory pids\n')
    fs.writeFileSync(at('cgroup.procs'), '71\n')
    fs.writeFileSync(at('cgroup.subtree_control'), '')
  })
  afterEach(() => fs.rmSync(folder, { recursive: true, force: true }))

  function open(): CgroupTree {
    const opened = CgroupTree.open(folder, 71)
    if ('reason' in opened) throw new Error(opened.reason)
    return opened.tree
  }

  function create(limits = {}): InstanceCgroup {
    return open().create({ ...SILENT_LIMITS, maxMemoryMb: 100, ...limits })
  }

  it('moves the daemon into a group of its own, then hands the controllers down', () => {
    open()
    expect(read('daemon/cgroup.procs')).to.equal('71')
    expect(read('cgroup.subtree_control')).to.equal('+memory +pids +cpu')
  })

  it('says why it cannot divide a group, and leaves it as it is', () => {
    fs.writeFileSync(at('cgroup.controllers'), 'hugetlb\n')
    expect(CgroupTree.open(folder, 71)).to.deep.equal({
      reason: 'its group lacks the controllers memory, pids, cpu',
    })
    fs.writeFileSync(at('cgroup.controllers'), 'cpu memory pids\n')
    fs.writeFileSync(at('cgroup.procs'), '71\n72\n')
    expect(CgroupTree.open(folder, 71)).to.deep.equal({ reason: 'others live in its group (72)' })
    expect(CgroupTree.open(at('nowhere'), 71)).to.have.property('reason')
    expect(fs.existsSync(at('daemon'))).to.be.false
  })

  it('removes the empty groups of a daemon that was killed', () => {
    fs.mkdirSync(at('instance-9'))
    open()
    expect(fs.existsSync(at('instance-9'))).to.be.false
  })

  it('limits a group before anything lives in it', () => {
    create({ maxProcesses: 20 })
    expect(read('instance-1/memory.max')).to.equal(String(356 * MEBIBYTE))
    expect(read('instance-1/memory.swap.max')).to.equal('0')
    expect(read('instance-1/memory.oom.group')).to.equal('1')
    expect(read('instance-1/pids.max')).to.equal('22')
    expect(fs.existsSync(at('instance-1/cgroup.procs'))).to.be.false
  })

  it('takes in every process that lives already, and counts memory above the idle runner from then on', async () => {
    const cgroup = create()
    const child = spawn(process.execPath, ['-e', 'process.stdin.resume()'], {
      stdio: ['pipe', 'ignore', 'ignore'],
    })
    try {
      fs.writeFileSync(at('instance-1/memory.current'), String(40 * MEBIBYTE))
      cgroup.seal(child.pid!, { ...SILENT_LIMITS, maxMemoryMb: 100 })
      expect(read('instance-1/cgroup.procs')).to.equal(String(child.pid))
      expect(read('instance-1/memory.max')).to.equal(String((40 + 16 + 100) * MEBIBYTE))
      cgroup.limit({ ...SILENT_LIMITS, maxMemoryMb: 50, maxProcesses: 16 })
      expect(read('instance-1/memory.max')).to.equal(String((40 + 16 + 50) * MEBIBYTE))
      expect(read('instance-1/pids.max')).to.equal('18')
    } finally {
      child.kill('SIGKILL')
      await new Promise((resolve) => child.once('exit', resolve))
    }
  })

  it('writes a share of the processor before the plugin runs, as a quota of each period, and another while it does', () => {
    const nobody = 2 ** 22
    const cgroup = create({ maxCpuPercent: 50 })
    expect(fs.existsSync(at('instance-1/cpu.max')), 'what starts is ours').to.be.false
    cgroup.seal(nobody, { ...SILENT_LIMITS, maxCpuPercent: 50 })
    expect(read('instance-1/cpu.max')).to.equal('50000 100000')
    cgroup.limit({ ...SILENT_LIMITS, maxCpuPercent: 1 })
    expect(read('instance-1/cpu.max')).to.equal('1000 100000')
    cgroup.limit({ ...SILENT_LIMITS, maxCpuPercent: 250 })
    expect(read('instance-1/cpu.max')).to.equal('250000 100000')
  })

  it('asks nothing of the kernel for a plugin without a share', () => {
    create().seal(2 ** 22, SILENT_LIMITS)
    expect(fs.existsSync(at('instance-1/cpu.max'))).to.be.false
  })

  it('refuses the start where the kernel does not say what it was told', () => {
    const nobody = 2 ** 22
    const limits = { ...SILENT_LIMITS, maxMemoryMb: 100, maxCpuPercent: 50 }
    // What is written there is not what is read: so a kernel would answer that takes a limit and does not hold it.
    for (const file of ['memory.max', 'memory.swap.max', 'memory.oom.group', 'pids.max', 'cpu.max']) {
      const cgroup = create()
      fs.rmSync(at('instance-1', file), { force: true })
      fs.symlinkSync('/dev/null', at('instance-1', file))
      expect(() => cgroup.seal(nobody, limits), file).to.throw(`${file} was told`)
      fs.rmSync(at('instance-1'), { recursive: true })
    }
    expect(() => create().seal(nobody, limits)).not.to.throw()
  })

  it('tells what was declared beside what stands there now, for who verifies a plugin', () => {
    const cgroup = create()
    cgroup.seal(2 ** 22, { ...SILENT_LIMITS, maxCpuPercent: 50 })
    fs.writeFileSync(at('instance-1', 'pids.max'), 'max')
    fs.rmSync(at('instance-1', 'memory.swap.max'))
    const told = cgroup
      .items()
      .map(({ name, declared, effective, verdict }) => [name, declared, effective, verdict])
    expect(told.slice(1)).to.deep.equal([
      ['cgroup.memory.swap.max', '0', null, 'not_readable'],
      ['cgroup.memory.oom.group', '1', '1', 'holds'],
      ['cgroup.pids.max', '66', 'max', 'differs'],
      ['cgroup.cpu.max', '50000 100000', '50000 100000', 'holds'],
    ])
    expect(told[0]?.[3]).to.equal('holds')
  })

  it('reads figures, and knows that it does not where there are none', () => {
    const cgroup = create()
    expect([cgroup.read(7), cgroup.wasOutOfMemory, cgroup.isPopulated]).to.deep.equal([null, false, false])
    fs.writeFileSync(at('instance-1/cpu.stat'), 'usage_usec 1500000\nuser_usec 1\n')
    fs.writeFileSync(at('instance-1/memory.events'), 'low 0\noom 1\noom_kill 2\n')
    fs.writeFileSync(at('instance-1/cgroup.events'), 'populated 1\nfrozen 0\n')
    expect([cgroup.read(7), cgroup.wasOutOfMemory, cgroup.isPopulated]).to.deep.equal([
      { usedMs: 1500, atMs: 7 },
      true,
      true,
    ])
    cgroup.setNice(19)
    expect(read('instance-1/cpu.weight.nice')).to.equal('19')
  })

  it('ends what still lives in a group before it removes it, and waits for the kernel', async () => {
    const cgroup = create()
    fs.writeFileSync(at('instance-1/cgroup.events'), 'populated 1\n')
    const removed = cgroup.remove()
    expect(read('instance-1/cgroup.kill')).to.equal('1')
    // As the kernel does when the last process is gone: its files are no hindrance.
    for (const name of fs.readdirSync(at('instance-1'))) fs.rmSync(at('instance-1', name))
    expect(await removed).to.be.true
    expect(fs.existsSync(at('instance-1'))).to.be.false
  })
})

describe('findOwnCgroup()', () => {
  const mountinfo =
    '25 1 0:20 / / rw - ext4 /dev/vda rw\n30 25 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw\n'

  it('finds the group of a service in the unified hierarchy', () => {
    expect(findOwnCgroup({ cgroup: '0::/system.slice/phantom.service\n', mountinfo })).to.deep.equal({
      folder: '/sys/fs/cgroup/system.slice/phantom.service',
    })
    expect(findOwnCgroup({ cgroup: '0::/\n', mountinfo })).to.deep.equal({ folder: '/sys/fs/cgroup' })
  })

  it('counts from the part that is mounted', () => {
    const part = mountinfo.replace('0:26 / ', '0:26 /machine ')
    expect(findOwnCgroup({ cgroup: '0::/machine/a\n', mountinfo: part })).to.deep.equal({
      folder: '/sys/fs/cgroup/a',
    })
    expect(findOwnCgroup({ cgroup: '0::/other\n', mountinfo: part })).to.have.property('reason')
  })

  it('says of version 1, and of both together, that there is nothing to divide', () => {
    const v1 = '31 23 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n'
    expect(findOwnCgroup({ cgroup: '4:memory:/a\n', mountinfo: v1 })).to.deep.equal({
      reason: 'the hierarchy is of version 1',
    })
    const hybrid = { cgroup: '4:memory:/a\n0::/\n', mountinfo: mountinfo + v1 }
    expect(findOwnCgroup(hybrid)).to.deep.equal({ reason: 'the hierarchy is of version 1, or of both' })
  })
})
