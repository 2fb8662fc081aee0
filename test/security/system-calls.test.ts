import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { expect } from 'chai'

import { skipBecause } from '../helpers/skip.ts'
import { runPlan, SandboxWorld, type DaemonKind, type ProbeOptions } from './sandbox-world.ts'

const SOURCE = path.join(import.meta.dirname, '../fixtures/probes/system-calls.c')
const EPERM = 1
const ENOENT = 2
const ENOSYS = 38
const ENOPROTOOPT = 92
const EAFNOSUPPORT = 97
const SIGSYS = 31

/** What a native program gets told, by the attempt's name in the probe. */
const OPEN = [
  'thread',
  'map_private',
  'map_file_private',
  'map_file_shared_read',
  'stack_limit_is_hard',
  'socket_unix',
  'socketpair_unix',
  'option_sndbuf',
  'ioctl_fionread',
  'open_plain',
]
const FORBIDDEN = [
  'clone_newuser clone_newns clone_newnet unshare setns ptrace process_vm_readv process_vm_writev kcmp',
  'pidfd_open pidfd_getfd pidfd_send_signal personality seccomp prctl_seccomp execveat',
  'map_file_shared_write map_shared map_growsdown memfd_create memfd_secret remap_file_pages userfaultfd',
  'raise_stack shmget msgget semget mq_open mlock mbind pipe_size',
  'bpf perf_event_open keyctl add_key request_key io_uring_setup io_uring_enter mount umount2 pivot_root chroot',
  'move_mount open_tree fsopen mount_setattr open_by_handle_at name_to_handle_at init_module finit_module',
  'delete_module kexec_load reboot swapon acct quotactl sethostname settimeofday syslog fanotify_init',
  'lookup_dcookie splice vmsplice landlock setuid setresuid_root setxattr',
  'ioctl ioctl_tiocsti_high ioctl_tioclinux ioctl_tiocsctty fcntl_lease mknodat open_setuid chmod_setuid',
].flatMap((line) => line.split(' '))

const kinds: DaemonKind[] = process.getuid?.() === 0 ? ['root', 'ordinary'] : ['ordinary']
for (const daemon of kinds) {
  describe(`the system calls of a sandbox that a daemon of kind "${daemon}" starts`, () => {
    const world = new SandboxWorld(daemon)
    before(async function () {
      await world.open()
      const { tier, reasonNoNamespace } = world.machine
      if (tier === 'process') skipBecause.call(this, `no namespaces here: ${reasonNoNamespace}`)
    })
    after(() => world.close())
    nativeProbe(world)
    insideNode(world)
  })
}

function nativeProbe(world: SandboxWorld): void {
  before(function () {
    const program = path.join(world.pluginDir, 'probe')
    const built = spawnSync('gcc', ['-O1', '-pthread', '-o', program, SOURCE], { encoding: 'utf8' })
    if (built.error !== undefined) skipBecause.call(this, 'gcc is not installed')
    expect(built.stderr).to.equal('')
    fs.chmodSync(program, 0o755)
  })

  async function attempts(options: ProbeOptions): Promise<Map<string, number>> {
    const { stdout, stderr, code } = await runPlan(world.nativePlan('probe', [], options), null)
    expect([code, stderr], stdout).to.deep.equal([0, ''])
    const lines = stdout.trim().split('\n')
    return new Map(
      lines.map((line) => line.split(' ') as [string, string]).map(([name, errno]) => [name, Number(errno)]),
    )
  }

  it('work where a program needs them, and nowhere else', async () => {
    const said = await attempts({})
    for (const name of OPEN) expect(said.get(name), name).to.equal(0)
    for (const name of FORBIDDEN) expect(said.get(name), name).to.equal(EPERM)
    expect(said.get('fork')).to.equal(EPERM)
    for (const name of ['clone3', 'newer_than_the_tables']) expect(said.get(name), name).to.equal(ENOSYS)
    expect(said.get('connect')).to.equal(EPERM)
    for (const family of [
      'unix_datagram',
      'inet',
      'inet6',
      'raw',
      'sctp',
      'netlink',
      'packet',
      'alg',
      'vsock',
    ]) {
      expect(said.get(`socket_${family}`), family).to.equal(EAFNOSUPPORT)
    }
    expect(said.get('option_attach_filter')).to.equal(ENOPROTOOPT)
    for (const name of ['open_tty', 'open_zero']) expect(said.get(name), name).to.equal(ENOENT)
  })

  it('open the internet families with the network, and processes with that right, and nothing besides', async () => {
    const bare = await attempts({})
    const opened = await attempts({ opened: { network: ['example.org'], process: true } })
    const changed = [...opened].filter(([name, errno]) => bare.get(name) !== errno)
    expect(changed).to.deep.equal([
      ['fork', 0],
      ['socket_unix_datagram', 0],
      ['connect', ENOENT],
      ['socket_inet', 0],
      ['socket_inet6', 0],
    ])
    for (const name of FORBIDDEN) expect(opened.get(name), name).to.equal(EPERM)
  })

  it('end a process that uses another table of numbers', async function () {
    if (process.arch !== 'x64') skipBecause.call(this, 'only x86-64 has other tables')
    for (const word of ['x32', 'int80']) {
      const { stdout, code } = await runPlan(world.nativePlan('probe', [word]), null)
      expect(stdout, word).to.equal('')
      expect(code, word).to.equal(128 + SIGSYS)
    }
  })
}

function insideNode(world: SandboxWorld): void {
  it('leave Node what it needs: threads, shared memory of both kinds, WebAssembly, files, watches, sockets', async () => {
    // As a root daemon makes them: what is copied in it keeps the bit.
    if (world.daemon === 'root') fs.chmodSync(world.dataDir, 0o2777)
    const said = await world.report<Record<string, string>>('node-at-work.cjs', {
      kernelOnly: true,
      maxMemoryMb: 2048,
      runtime: { sqlite: true },
      input: world.dataDir,
    })
    for (const [name, outcome] of Object.entries(said)) expect(outcome, name).to.equal('works')
    expect(Object.keys(said)).to.have.lengthOf.above(14)
  })

  it('refuse Node to start a program, also with its own layer away', async () => {
    const said = await world.report<Record<string, string>>('reach-out.cjs', {
      kernelOnly: true,
      input: { port: 1, outside: world.secret, skip: ['worker', 'inspector', 'ffi', 'sqlite'] },
    })
    expect([said['spawn'], said['shell']]).to.deep.equal(['EPERM', 'EPERM'])
  })
}
