import fs from 'node:fs'
import net from 'node:net'
import { expect } from 'chai'
import { outcomeOf, TestDaemon, until } from '../helpers/daemon.ts'
import { needPython } from '../helpers/native-programs.ts'
import { skipBecause } from '../helpers/skip.ts'
import { addSections } from '../helpers/supervised.ts'

const ID = 'native_python'
const NOT_THERE = ['ENOENT', 'EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'ELOOP']
const CLOSED = ['EPERM', 'ENOSYS']

/** Linux on x86-64, with arguments that would do something where they are let through. */
const SYSTEM_CALLS: Readonly<Record<string, readonly number[]>> = {
  fork: [57],
  vfork: [58],
  'clone with a user namespace': [56, 0x1000_0000 | 17, 0, 0, 0, 0],
  clone3: [435, 0, 0],
  ptrace: [101, 0, 0, 0, 0],
  process_vm_readv: [310, 1, 0, 0, 0, 0, 0],
  pidfd_open: [434, 1, 0],
  kcmp: [312, 1, 1, 0, 0, 0],
  unshare: [272, 0x1000_0000],
  setns: [308, 0, 0],
  mount: [165, 0, 0, 0, 0, 0],
  umount2: [166, 0, 0],
  open_tree: [428, -100, 0, 0],
  move_mount: [429, -1, 0, -1, 0, 0],
  fsopen: [430, 0, 0],
  pivot_root: [155, 0, 0],
  chroot: [161, 0],
  open_by_handle_at: [304, -100, 0, 0],
  name_to_handle_at: [303, -100, 0, 0, 0, 0],
  openat2: [437, -100, 0, 0, 0],
  bpf: [321, 0, 0, 0],
  io_uring_setup: [425, 1, 0],
  userfaultfd: [323, 0],
  perf_event_open: [298, 0, 0, -1, -1, 0],
  memfd_create: [319, 0, 0],
  memfd_secret: [447, 0],
  shmget: [29, 0, 4096, 0o1600],
  msgget: [68, 0, 0o1600],
  semget: [64, 0, 1, 0o1600],
  mq_open: [240, 0, 0o102, 0o600, 0],
  keyctl: [250, 0, -3, 1],
  add_key: [248, 0, 0, 0, 0, 0],
  seccomp: [317, 1, 0, 0],
  'prctl(PR_SET_SECCOMP)': [157, 22, 2, 0, 0, 0],
  'prctl(PR_SET_MM)': [157, 35, 0, 0, 0, 0],
  personality: [135, 0x004_0000],
  modify_ldt: [154, 0, 0, 0],
  iopl: [172, 3],
  ioperm: [173, 0, 1, 1],
  init_module: [175, 0, 0, 0],
  finit_module: [313, 0, 0, 0],
  delete_module: [176, 0, 0],
  kexec_load: [246, 0, 0, 0, 0],
  reboot: [169, 0, 0, 0, 0],
  swapon: [167, 0, 0],
  acct: [163, 0],
  settimeofday: [164, 0, 0],
  clock_settime: [227, 0, 0],
  sethostname: [170, 0, 0],
  syslog: [103, 3, 0, 0],
  quotactl: [179, 0, 0, 0, 0],
  capset: [126, 0, 0],
  setuid: [105, 0],
  setgroups: [116, 0, 0],
  'prlimit64 of another limit': [302, 1, 2, 1, 0],
  setrlimit: [160, 2, 0],
  sched_setscheduler: [144, 0, 1, 0],
  ioprio_set: [251, 1, 0, 0],
  migrate_pages: [256, 0, 0, 0, 0],
  mlockall: [151, 3],
  'mmap shared anonymous': [9, 0, 4096, 3, 0x21, -1, 0],
  'mmap that grows down': [9, 0, 4096, 3, 0x122, -1, 0],
  'madvise(MADV_HWPOISON)': [28, 0, 0, 100],
  'ioctl(TIOCSTI)': [16, 0, 0x5412, 0],
  fanotify_init: [300, 0, 0],
  'mknod of a device': [133, 0, 0o020666, 0x101],
  vmsplice: [278, 1, 0, 0, 0],
  pidfd_getfd: [438, 3, 0, 0],
  landlock_create_ruleset: [444, 0, 0, 1],
}

/** Family, type, protocol. */
const SOCKETS: Readonly<Record<string, readonly number[]>> = {
  TCP: [2, 1, 0],
  UDP: [2, 2, 0],
  'TCP over IPv6': [10, 1, 0],
  'raw IP': [2, 3, 1],
  packet: [17, 3, 0],
  netlink: [16, 3, 0],
  vsock: [40, 1, 0],
  'the kernel’s crypto': [38, 5, 0],
  bluetooth: [31, 3, 1],
  'unix datagrams': [1, 2, 0],
}

describe('A native plugin that attacks its sandbox', function () {
  this.timeout(60_000)
  let daemon: TestDaemon
  let listener: net.Server

  before(needPython)
  before(async function () {
    daemon = await TestDaemon.start({
      plugins: ['native-python', 'echoes'],
      files: { 'secret.txt': 'secret', 'data/given.txt': 'given' },
      prepare: (world) => {
        addSections(world, ID, '[permissions]\npermissions = ["fs_read:./data", "fs_write:./out"]')
        fs.mkdirSync(world.path('out'))
        fs.chmodSync(world.path('out'), 0o777)
        fs.symlinkSync(world.path('secret.txt'), world.path('data/link.txt'))
        fs.symlinkSync('/', world.path('data/root'))
      },
    })
    listener = net.createServer((socket) => socket.destroy()).listen(daemon.world.path('data/socket'))
    if ((await daemon.system.get_status()).tier !== 'namespace') {
      await stop()
      skipBecause.call(this, 'native plugins need namespaces')
    }
    await daemon.call('echoes', 'echo', 1)
  })
  const stop = async (): Promise<void> => {
    listener.close()
    await daemon.stop()
  }
  after(async () => {
    if (daemon !== undefined) await stop()
  })

  const call = async <Result = unknown>(operation: string, input?: unknown): Promise<Result> =>
    (await daemon.call<Result>(ID, operation, input)).result as Result
  const os = (name: string, ...rest: unknown[]): Promise<unknown> => call('os_call', [name, ...rest])

  describe('by files', () => {
    it('reads none that it was not granted, by whatever way leads there', async () => {
      const places = [
        '/etc/passwd',
        '/etc/shadow',
        '/root',
        '/home',
        '/var/log',
        '/proc/1/environ',
        '/proc/1/root/etc/passwd',
        '/proc/self/root/etc/passwd',
        '/proc/kcore',
        '/proc/kallsyms',
        '/proc/sys/kernel/core_pattern',
        '/sys/kernel',
        '/dev/mem',
        '/dev/kmsg',
        '/dev/zero',
        '/dev/shm',
        daemon.world.path('secret.txt'),
        daemon.world.path('data/../secret.txt'),
        daemon.world.path('data/link.txt'),
        daemon.world.path('data/root/etc/passwd'),
        daemon.world.path('.phantom/plugins/state.db'),
        daemon.world.path('plugins/echoes/index.js'),
        daemon.socketPath,
        daemon.adminSocketPath,
      ]
      for (const place of places) {
        const found = await os('open', place, 0)
        // What is covered opens as /dev/null, or as an empty folder.
        if (typeof found === 'number')
          expect(await os('read', found, 10).catch(String), place).to.be.oneOf(['', 'EISDIR'])
        else expect(found, place).to.be.oneOf(NOT_THERE)
      }
      expect(await call('read', 'data/given.txt')).to.equal('given')
    })

    it('sees no more of /proc than its own, and nothing in /proc/sys', async () => {
      const pids = (await call<string[]>('names', '/proc')).filter((name) => /^\d+$/.test(name))
      expect(pids.length).to.be.within(1, 3)
      expect(await call('names', '/proc/sys')).to.deep.equal([])
    })

    it('changes nothing but what it was granted', async () => {
      const own = daemon.world.path('plugins', ID)
      const attempts: readonly (readonly unknown[])[] = [
        ['open', `${own}/main.py`, 1],
        ['open', `${own}/new.py`, 0o101],
        ['unlink', `${own}/plugin.toml`],
        ['rename', own, `${own}-moved`],
        ['chmod', `${own}/main.py`, 0o777],
        ['open', daemon.world.path('data/given.txt'), 2],
        ['open', daemon.world.path('data/new.txt'), 0o101],
        ['open', daemon.world.path('new.txt'), 0o101],
        ['mkdir', '/new'],
        ['open', '/usr/new', 0o101],
        ['open', '/etc/ld.so.preload', 0o101],
        ['open', '/.phantom-runner/enter', 1],
        ['open', '/proc/sysrq-trigger', 1],
        ['open', '/proc/self/oom_score_adj', 1],
        ['mknod', '/tmp/device', 0o060660, 0x801],
        ['mkfifo', daemon.world.path('data/fifo')],
        ['link', daemon.world.path('data/given.txt'), daemon.world.path('out/given.txt')],
      ]
      for (const attempt of attempts) {
        const found = await os(attempt[0] as string, ...attempt.slice(1))
        if (attempt[1] === '/proc/self/oom_score_adj') continue
        expect(found, JSON.stringify(attempt)).to.be.oneOf([...NOT_THERE, 'EXDEV', 'EBUSY', 'ENXIO'])
      }
      expect(fs.readFileSync(daemon.world.path('data/given.txt'), 'utf8')).to.equal('given')
    })

    it('leaves no file that runs as its owner', async () => {
      await call('write', { path: 'out/tool', text: 'x' })
      expect(await os('chmod', daemon.world.path('out/tool'), 0o4755)).to.equal('EPERM')
      expect(await os('open', daemon.world.path('out/set'), 0o101, 0o4755)).to.equal('EPERM')
      expect(fs.statSync(daemon.world.path('out/tool')).mode & 0o7000).to.equal(0)
    })
  })

  describe('by the network', () => {
    it('opens unix sockets, which lead nowhere', async () =>
      expect(await call('open_socket', [1, 1, 0])).to.equal('opened'))

    for (const [what, socket] of Object.entries(SOCKETS))
      it(`opens no socket of ${what}`, async () =>
        expect(await call('open_socket', socket)).to.equal('EAFNOSUPPORT'))

    it('reaches no unix socket, in a granted folder or by an abstract name', async () => {
      expect(await call('connect_unix', daemon.world.path('data/socket'))).to.equal('EPERM')
      expect(await call('connect_unix', '\0/tmp/.X11-unix/X0')).to.equal('EPERM')
      expect(await call('connect_unix', daemon.socketPath)).to.equal('EPERM')
    })
  })

  describe('by processes', () => {
    it('starts no program: one that it executes takes its own place, inside the same walls, and none of the system is there', async () => {
      for (const program of ['/bin/sh', '/usr/bin/env', '/bin/ls', '/usr/bin/sudo', '/bin/mount'])
        expect(await call('execute_program', [program]), program).to.be.oneOf(['ENOENT', 'EACCES'])
      expect(await os('posix_spawn', '/bin/sh', ['/bin/sh'], {})).to.be.oneOf(CLOSED)
    })

    it('executes the entry program again, which gives it nothing more, and ends', async () => {
      const outcome = await outcomeOf(
        daemon.call(ID, 'execute_program', ['/.phantom-runner/enter', '/.phantom-runner/enter']),
      )
      expect(outcome).to.equal('PLUGIN_CRASHED')
      await until(async () => (await outcomeOf(daemon.call(ID, 'echo', 1))) === 'ok', 'the next process')
    })

    it('signals no process outside, nor itself into another session', async () => {
      for (const pid of [daemon.pid, process.pid, -1])
        expect(await os('kill', pid, 0)).to.be.oneOf(['ESRCH', 'EPERM'])
      expect(await os('setsid')).to.be.oneOf(CLOSED)
    })

    it('becomes nobody else', async () => {
      const [user, group, isRoot] = await call<[string, string, boolean]>('set_user')
      expect([user, group]).to.deep.equal(['EPERM', 'EPERM'])
      expect(isRoot).to.equal(false)
    })
  })

  describe('by system calls', () => {
    before(function () {
      if (process.arch !== 'x64') skipBecause.call(this, 'the numbers are those of x86-64')
    })

    it('reaches the kernel by its numbers at all', async () => {
      expect(await call('system_call', [39]))
        .to.be.a('number')
        .and.be.greaterThan(0)
      expect(await call('system_call', [3, 4711])).to.equal('EBADF')
    })

    for (const [what, numbers] of Object.entries(SYSTEM_CALLS))
      it(`is refused ${what}`, async () => expect(await call('system_call', numbers)).to.be.oneOf(CLOSED))

    it('by the numbers of another table is ended', async () => {
      // x32: getpid, with the bit of that table.
      expect(await outcomeOf(daemon.call(ID, 'system_call', [0x4000_0027]))).to.equal('PLUGIN_CRASHED')
      await until(async () => (await outcomeOf(daemon.call(ID, 'echo', 1))) === 'ok', 'the next process')
    })
  })

  it('and everybody else goes on', async () =>
    expect((await daemon.call('echoes', 'echo', 2)).result).to.equal(2))
})
