import type { Arena } from '../arena.ts'

/** What, its number on x86-64, its arguments; a text stands for its bytes. Chosen so that success would do no harm. */
type Call = readonly [what: string, number: number, ...args: (number | string)[]]

interface CallGroup {
  readonly id: string
  readonly tries: string
  readonly list: (arena: Arena) => readonly Call[]
}

const [NEWUSER, NEWNS, NEWNET, NEWPID] = [0x10000000, 0x20000, 0x40000000, 0x20000000]
const TIOCSTI = 0x5412
const TIOCLINUX = 0x541c

export const SYSTEM_CALLS: readonly CallGroup[] = [
  {
    id: 'namespaces',
    tries: 'makes and enters namespaces, and mounts (unshare, setns, mount, pivot_root, fsopen, chroot)',
    list: () => [
      ['unshare of users', 272, NEWUSER],
      ['unshare of mounts', 272, NEWNS],
      ['unshare of the network', 272, NEWNET],
      ['unshare of processes', 272, NEWPID],
      ['setns', 308, 3, 0],
      ['clone3', 435, 0, 88],
      ['mount', 165, 'none', '/tmp', 'tmpfs', 0],
      ['umount', 166, '/proc', 2],
      ['pivot_root', 155, '/tmp', '/tmp'],
      ['chroot', 161, '/tmp'],
      ['fsopen', 430, 'tmpfs', 0],
      ['open_tree', 428, -100, '/', 1],
      ['move_mount', 429, -100, '/tmp', -100, '/tmp'],
      ['mount_setattr', 442, -100, '/', 0, 0, 0],
    ],
  },
  {
    id: 'tracing',
    tries: 'traces and reads other processes (ptrace, process_vm_readv, pidfd_getfd, kcmp)',
    list: ({ daemonPid, neighbourPid }) => [
      ['ptrace of the neighbour', 101, 16, neighbourPid],
      ['ptrace of the daemon', 101, 16, daemonPid],
      ['process_vm_readv', 310, neighbourPid, 0, 0, 0, 0],
      ['process_vm_writev', 311, neighbourPid, 0, 0, 0, 0],
      ['pidfd_open of the neighbour', 434, neighbourPid, 0],
      ['pidfd_open of itself', 434, 1, 0],
      ['pidfd_getfd', 438, 3, 0, 0],
      ['kcmp', 312, 1, neighbourPid, 0, 0, 0],
      ['process_madvise', 440, 3, 0, 0, 0, 0],
      ['perf_event_open', 298, 0, 0, -1, -1, 0],
    ],
  },
  {
    id: 'kernel',
    tries: 'reaches into the kernel (bpf, io_uring, userfaultfd, keys, modules, kexec, file handles)',
    list: () => [
      ['bpf', 321, 0, 0, 0],
      ['userfaultfd', 323, 1],
      ['io_uring_setup', 425, 1, 0],
      ['io_uring_enter', 426, 3, 0, 0, 0],
      ['keyctl', 250, 0, -3, 1],
      ['add_key', 248, 'user', 'x', 'x', 1, -3],
      ['request_key', 249, 'user', 'x', 0, -3],
      ['init_module', 175, 0, 0, ''],
      ['finit_module', 313, 3, '', 0],
      ['delete_module', 176, 'none', 0],
      ['kexec_load', 246, 0, 0, 0, 0],
      ['name_to_handle_at', 303, -100, '/', 0, 0, 0],
      ['open_by_handle_at', 304, 3, 0, 0],
      ['fanotify_init', 300, 0, 0],
      ['syslog', 103, 10, 0, 0],
      ['personality', 135, 0xffffffff],
      ['modify_ldt', 154, 0, 0, 0],
      ['remap_file_pages', 216, 0, 0, 0, 0, 0],
      ['move_pages', 279, 0, 0, 0, 0, 0, 0],
      ['memfd_secret', 447, 0],
      ['seccomp', 317, 0, 0, 0],
      ['quotactl', 179, 0, 0, 0, 0],
      ['acct', 163, 0],
      ['swapon', 167, '/tmp/x', 0],
      ['nfsservctl', 180, 0, 0, 0],
      ['vhangup', 153],
      ['lookup_dcookie', 212, 0, 0, 0],
    ],
  },
  {
    id: 'machine',
    tries: 'changes the machine (reboot, its name, its clock, ports, devices)',
    list: () => [
      // With no magic numbers: refused for these where it is not refused for the right.
      ['reboot', 169, 0, 0, 0],
      ['sethostname', 170, 'x', 1],
      ['setdomainname', 171, 'x', 1],
      ['settimeofday', 164, 0, 0],
      ['clock_settime', 227, 0, 0],
      ['adjtimex', 159, 0],
      ['iopl', 172, 3],
      ['ioperm', 173, 0, 1, 1],
      ['mknod of a disk', 133, '/tmp/disk', 0o60600, 0x800],
      ['mknod of memory', 133, '/tmp/memory', 0o20600, 0x101],
    ],
  },
  {
    id: 'rights',
    tries: 'takes rights (setuid, capabilities, ambient ones, groups, limits of others, priorities)',
    list: ({ neighbourPid, daemonPid }) => [
      ['setuid', 105, 0],
      ['setreuid', 113, 0, 0],
      ['setresuid', 117, 0, 0, 0],
      ['setgid', 106, 0],
      ['setgroups', 116, 1, '\u0000\u0000\u0000'],
      ['capset', 126, 0, 0],
      ['an ambient capability', 157, 47, 2, 21, 0, 0],
      ['no_new_privs taken back', 157, 38, 0, 0, 0, 0],
      ['limits of the daemon', 302, daemonPid, 7, 0, 0],
      ['a nice value below 0', 141, 0, 0, -5],
      ['a nice value of the neighbour', 141, 0, neighbourPid, 5],
      ['a scheduler of the neighbour', 144, neighbourPid, 0, 0],
    ],
  },
  {
    id: 'signals',
    tries: 'signals the daemon, the neighbour and everybody (kill, tgkill, rt_sigqueueinfo)',
    list: ({ daemonPid, neighbourPid }) => [
      ['kill of the daemon', 62, daemonPid, 0],
      ['kill of the neighbour', 62, neighbourPid, 0],
      ['kill of the command line', 62, process.pid, 0],
      ['tgkill', 234, daemonPid, daemonPid, 0],
      ['tkill', 200, neighbourPid, 0],
      ['rt_sigqueueinfo', 129, daemonPid, 0, 0],
      ['pidfd_send_signal', 424, 3, 0, 0, 0],
    ],
  },
  {
    id: 'terminal',
    tries: 'pushes characters into a terminal (TIOCSTI, TIOCLINUX, also with high bits)',
    list: () =>
      [0, 1, 2, 3].flatMap((fd): Call[] => [
        [`TIOCSTI on ${fd}`, 16, fd, TIOCSTI, 'x'],
        [`TIOCLINUX on ${fd}`, 16, fd, TIOCLINUX, '\u0003'],
        [`TIOCSTI with high bits on ${fd}`, 16, fd, 0x1_0000_0000 + TIOCSTI, 'x'],
        [`TIOCSCTTY on ${fd}`, 16, fd, 0x540e, 1],
      ]),
  },
  {
    id: 'processes',
    tries: 'makes processes without the right to (fork, vfork, clone)',
    list: () => [
      ['fork', 57],
      ['vfork', 58],
      ['clone', 56, 17, 0, 0, 0, 0],
      ['clone into new users', 56, NEWUSER + 17, 0, 0, 0, 0],
    ],
  },
]
