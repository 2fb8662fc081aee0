import { expect } from 'chai'
import { describeLimits } from '../../../../host/control/describe-limits.ts'
import type { Machine } from '../../../../host/sandbox/machine.ts'
import { MANIFEST_KEYS } from '../../../../src/contract/manifest/manifest-keys.ts'
import { HEAD, parse } from '../../../helpers/parsed-manifest.ts'

const MACHINE = {
  tier: 'namespace',
  uid: 1000,
  kernelRelease: '6.1.0',
  prlimitPath: '/usr/bin/prlimit',
} as Machine

describe('describeLimits()', () => {
  function rows(machine: Machine, more = '', hasCgroups = false) {
    const manifest = parse(`${HEAD}[resource_limits]\n${more}`).manifest!
    const limits = describeLimits({
      manifest,
      limits: manifest.limits,
      machine,
      hasCgroups,
      maxPayloadBytes: 1000,
    })
    return Object.fromEntries(limits.map(({ name, ...limit }) => [name, limit]))
  }

  it('has every key of [resource_limits]', () => {
    expect(Object.keys(rows(MACHINE))).to.include.members([...MANIFEST_KEYS.resource_limits])
  })

  it("tells what holds where the manifest is silent: the house's default, or nothing", () => {
    const found = rows(MACHINE)
    expect(found['max_open_files']).to.deep.equal({
      declared: null,
      effective: 256,
      mechanism: 'RLIMIT_NOFILE',
      not_held: null,
    })
    expect(found['max_disk_mb']).to.deep.include({ declared: null, effective: 1024 })
    expect(found['max_cpu_time_ms']).to.deep.equal({
      declared: null,
      effective: null,
      mechanism: null,
      not_held: null,
    })
    expect(found['max_output_bytes']).to.deep.include({ declared: null, effective: 1000 })
  })

  it('tells of what this machine does not enforce that nothing does', () => {
    const bare = { ...MACHINE, tier: 'process', prlimitPath: null } as const
    const found = rows(bare, 'max_processes = 20\nmax_open_files = 40\n')
    for (const name of ['max_processes', 'max_open_files', 'max_memory_mb'])
      expect(found[name], name).to.deep.include({
        effective: null,
        mechanism: null,
      })
    expect(found['max_open_files']?.not_held).to.equal('prlimit is not installed')
    const ordinary = rows({ ...MACHINE, tier: 'process' }, 'max_processes = 20\n')
    expect(ordinary['max_processes']).to.deep.equal({
      declared: 20,
      effective: null,
      mechanism: null,
      not_held: 'the kernel would count the other programs of the same user',
    })
  })

  it('tells of a share of the processor by what it is held, or that it is not', () => {
    const share = (machine: Machine, more = '', hasCgroups = false) =>
      rows(machine, `max_cpu_percent = 50\n${more}`, hasCgroups)['max_cpu_percent']
    const programs = '[permissions]\npermissions = ["process"]\n'
    const held = { declared: 50, effective: 50, not_held: null }
    expect(share(MACHINE)).to.deep.include({
      ...held,
      mechanism: 'stopped by the daemon (SIGSTOP) beyond it',
    })
    expect(share(MACHINE, programs, true)).to.deep.include({ ...held, mechanism: 'cgroup v2 cpu.max' })
    for (const unheld of [share(MACHINE, programs), share({ ...MACHINE, tier: 'process' })]) {
      expect(unheld).to.deep.include({ declared: 50, effective: null, mechanism: null })
      expect(unheld?.not_held).to.match(/^not held on this machine: no delegated cgroup v2/)
    }
  })

  it('names the group of cgroup v2 where each process has one', () => {
    const found = rows({ ...MACHINE, tier: 'process', prlimitPath: null }, 'max_processes = 20\n', true)
    expect(found['max_memory_mb']).to.deep.include({ effective: 256, mechanism: 'cgroup v2 memory.max' })
    expect(found['max_processes']).to.deep.include({ effective: 20, mechanism: 'cgroup v2 pids.max' })
    expect(rows(MACHINE, '', true)['max_processes']?.mechanism).to.match(
      /^RLIMIT_NPROC.* \+ cgroup v2 pids\.max$/,
    )
  })

  it('lets a result be no larger than the daemon lets any payload be', () => {
    expect(rows(MACHINE, 'max_output_bytes = 5000\n')['max_output_bytes']).to.deep.include({
      declared: 5000,
      effective: 1000,
    })
  })
})
