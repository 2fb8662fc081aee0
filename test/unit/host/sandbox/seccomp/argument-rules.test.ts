import { expect } from 'chai'
import * as fc from 'fast-check'

import { numberOf } from '../../../../../host/sandbox/seccomp/syscall-numbers.ts'
import {
  ALLOW,
  alwaysThe,
  ask,
  call,
  EPERM,
  registers,
  VARIANTS,
  variants,
  type Answer,
} from './ask-filter.ts'

const ENOPROTOOPT = 92
const EAFNOSUPPORT = 97

describe('the arguments that the filter looks at', () => {
  const PTHREAD = 0x3d_0f00
  const FORK = 0x0120_0011

  it('lets threads be made, and processes only where they were granted', () => {
    for (const variant of VARIANTS) {
      alwaysThe(ALLOW, variant, 'clone', PTHREAD)
      alwaysThe(variant.process ? ALLOW : EPERM, variant, 'clone', FORK)
      alwaysThe(variant.process ? ALLOW : EPERM, variant, 'clone', 0x4111)
      if (variant.arch === 'x64') {
        alwaysThe(variant.process ? ALLOW : EPERM, variant, 'fork')
        alwaysThe(variant.process ? ALLOW : EPERM, variant, 'vfork')
      }
      alwaysThe(ALLOW, variant, 'execve')
    }
  })

  it('lets no namespace be made, by a thread or a process', () => {
    const bits = [
      0x2_0000, 0x0200_0000, 0x0400_0000, 0x0800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000, 0x2000, 0x8000,
    ]
    for (const variant of VARIANTS) {
      for (const bit of bits) {
        alwaysThe(EPERM, variant, 'clone', FORK | bit)
        alwaysThe(EPERM, variant, 'clone', PTHREAD | bit)
      }
    }
  })

  it('maps no memory that RLIMIT_DATA does not count', () => {
    const [none, read, write] = [0, 1, 3]
    const [shared, priv, validate, droppable, anonymous, grows, fixed] = [1, 2, 3, 8, 0x20, 0x100, 0x10]
    for (const variant of VARIANTS) {
      const map = (answer: Answer, protection: number, flags: number): void =>
        alwaysThe(answer, variant, 'mmap', 0, 4096, protection, flags)
      for (const protection of [none, read, write, 7]) {
        map(ALLOW, protection, priv | anonymous)
        map(ALLOW, protection, priv | anonymous | fixed | 0x4000)
        map(ALLOW, protection, priv)
        map(EPERM, protection, priv | anonymous | grows)
        map(EPERM, protection, shared | anonymous)
        map(EPERM, protection, validate | anonymous)
        map(EPERM, protection, shared | grows)
        map(EPERM, protection, droppable | anonymous)
        map(EPERM, protection, 0)
      }
      map(ALLOW, read, shared)
      map(ALLOW, none, validate)
      map(EPERM, write, shared)
      map(EPERM, write, validate)
    }
  })

  it('opens sockets of the family unix, and of the internet families only with the network', () => {
    const flags = 0o2004000
    for (const variant of VARIANTS) {
      const inet = variant.network ? ALLOW : EAFNOSUPPORT
      alwaysThe(variant.network ? ALLOW : EPERM, variant, 'connect', 3)
      alwaysThe(variant.network ? ALLOW : EAFNOSUPPORT, variant, 'socket', 1, 2 | flags, 0)
      alwaysThe(variant.network ? ALLOW : EAFNOSUPPORT, variant, 'socketpair', 1, 2, 0)
      for (const type of [1, 5]) {
        alwaysThe(ALLOW, variant, 'socket', 1, type | flags, 0)
        alwaysThe(ALLOW, variant, 'socketpair', 1, type, 0)
      }
      for (const family of [2, 10]) {
        for (const [type, protocol] of [
          [1, 0],
          [1, 6],
          [2, 0],
          [2, 17],
        ] as const) {
          alwaysThe(inet, variant, 'socket', family, type | flags, protocol)
          alwaysThe(EAFNOSUPPORT, variant, 'socketpair', family, type, protocol)
        }
        // Raw, SCTP, MPTCP, L2TP.
        for (const [type, protocol] of [
          [3, 1],
          [3, 255],
          [1, 132],
          [1, 262],
          [2, 115],
          [5, 132],
        ] as const) {
          alwaysThe(EAFNOSUPPORT, variant, 'socket', family, type, protocol)
        }
      }
      alwaysThe(EAFNOSUPPORT, variant, 'socket', 1, 3, 0)
    }
    fc.assert(
      fc.property(variants, fc.nat(0xffff_ffff), registers, (variant, family, given) => {
        fc.pre(![1, 2, 10].includes(family))
        const number = numberOf('socket', variant.arch) ?? -1
        const high = (given[0] ?? 0n) & 0xffff_ffff_0000_0000n
        expect(ask(variant, { number, arguments: [high | BigInt(family), ...given.slice(1)] })).to.equal(
          EAFNOSUPPORT,
        )
      }),
      // Netlink, packet, ALG, vsock, XDP.
      {
        numRuns: 2000,
        examples: [16, 17, 38, 40, 44].map((family) => [VARIANTS[1]!, family, [0n, 3n, 0n, 0n, 0n, 0n]]),
      },
    )
  })

  it('passes the options of sockets that programs use, and none that brings code into the kernel', () => {
    for (const variant of VARIANTS) {
      alwaysThe(ALLOW, variant, 'setsockopt', 3, 1, 2)
      alwaysThe(variant.network ? ALLOW : ENOPROTOOPT, variant, 'setsockopt', 3, 6, 1)
      // Socket filters, reuseport programs, zero copy; TCP_ULP, TCP_REPAIR; netfilter's tables.
      for (const [level, option] of [
        [1, 26],
        [1, 50],
        [1, 51],
        [1, 52],
        [1, 60],
        [6, 31],
        [6, 19],
        [0, 64],
        [41, 64],
        [255, 1],
      ] as const) {
        alwaysThe(ENOPROTOOPT, variant, 'setsockopt', 3, level, option)
      }
    }
  })

  it('passes the few requests to devices, files and the process itself that are needed', () => {
    for (const variant of VARIANTS) {
      for (const request of [0x5401, 0x5413, 0x541b, 0x5421, 0x5450, 0x5451])
        alwaysThe(ALLOW, variant, 'ioctl', 1, request)
      // TIOCSTI, TIOCLINUX, TIOCSCTTY, TIOCSETD, FICLONE, NS_GET_USERNS, KVM_CREATE_VM, SIOCGIFCONF.
      for (const request of [0x5412, 0x541c, 0x540e, 0x5423, 0x4004_9409, 0xb701, 0xae01, 0x8912]) {
        alwaysThe(EPERM, variant, 'ioctl', 1, request)
      }
      for (const command of [0, 1, 2, 3, 4, 5, 6, 7, 36, 37, 38, 1030])
        alwaysThe(ALLOW, variant, 'fcntl', 1, command)
      // F_SETOWN, F_SETSIG, F_SETLEASE, F_NOTIFY, F_SETPIPE_SZ, F_ADD_SEALS, F_SET_RW_HINT.
      for (const command of [8, 10, 1024, 1026, 1031, 1033, 1036])
        alwaysThe(EPERM, variant, 'fcntl', 1, command)
      for (const option of [1, 15, 16, 23, 38]) alwaysThe(ALLOW, variant, 'prctl', option)
      // SET_SECCOMP, SET_SECUREBITS, SET_MM, SYSCALL_USER_DISPATCH, SCHED_CORE, SET_PTRACER, SET_MEMORY_MERGE.
      for (const option of [8, 22, 24, 28, 35, 47, 59, 62, 0x5961_6d61, 67])
        alwaysThe(EPERM, variant, 'prctl', option)
      alwaysThe(variant.process ? ALLOW : EPERM, variant, 'prctl', 36)
      for (const advice of [3, 4, 8, 14, 25]) alwaysThe(ALLOW, variant, 'madvise', 0, 0, advice)
      for (const advice of [9, 12, 100, 101]) alwaysThe(EPERM, variant, 'madvise', 0, 0, advice)
      expect(call(variant, 'prlimit64', 0, 3, 0, -1)).to.equal(ALLOW)
      for (const pointer of [0x7fff_0000_1000n, 0x1_0000_0000n, 1n]) {
        expect(call(variant, 'prlimit64', 0, 3, pointer)).to.equal(variant.process ? ALLOW : EPERM)
      }
      alwaysThe(EPERM, variant, 'prlimit64', 1, 7)
    }
  })

  it("makes files of the set group where the group is the plugin's own, and of the owner never", () => {
    for (const variant of VARIANTS) {
      const own = { ...variant, setGroupId: true }
      alwaysThe(ALLOW, own, 'fchmodat', -100, 0, 0o2770)
      alwaysThe(EPERM, own, 'fchmodat', -100, 0, 0o4770)
      alwaysThe(EPERM, own, 'fchmodat', -100, 0, 0o6770)
    }
  })

  it('makes no file that runs as its owner, and devices never', () => {
    const [create, temporary] = [0o101, 0o20200002]
    for (const variant of VARIANTS) {
      for (const mode of [0o4755, 0o2755, 0o6000]) {
        alwaysThe(EPERM, variant, 'openat', -100, 0, create, mode)
        alwaysThe(EPERM, variant, 'openat', -100, 0, temporary, mode)
        alwaysThe(EPERM, variant, 'fchmod', 3, mode)
        alwaysThe(EPERM, variant, 'fchmodat', -100, 0, mode)
        alwaysThe(EPERM, variant, 'mkdirat', -100, 0, mode)
        // Without O_CREAT the mode is whatever the register held.
        alwaysThe(ALLOW, variant, 'openat', -100, 0, 0, mode)
        if (variant.arch === 'arm64') continue
        alwaysThe(EPERM, variant, 'open', 0, create, mode)
        alwaysThe(ALLOW, variant, 'open', 0, 0, mode)
        for (const name of ['chmod', 'mkdir', 'creat'] as const) alwaysThe(EPERM, variant, name, 0, mode)
      }
      alwaysThe(ALLOW, variant, 'openat', -100, 0, create, 0o644)
      alwaysThe(ALLOW, variant, 'fchmod', 3, 0o1777)
      alwaysThe(variant.process ? ALLOW : EPERM, variant, 'mknodat', -100, 0, 0o010644)
      for (const mode of [0o020644, 0o060644, 0o140644, 0o014755])
        alwaysThe(EPERM, variant, 'mknodat', -100, 0, mode)
    }
  })

  it('lets nobody but who has programs take back a stop, and refuse no other signal', () => {
    for (const variant of VARIANTS) {
      for (const signal of [0, 1, 9, 15, 17, 19, 64]) {
        for (const name of ['kill', 'tkill'] as const) alwaysThe(ALLOW, variant, name, 7, signal)
        alwaysThe(ALLOW, variant, 'tgkill', 7, 7, signal)
      }
      const goesOn = variant.process ? ALLOW : EPERM
      for (const name of ['kill', 'tkill'] as const) alwaysThe(goesOn, variant, name, 7, 18)
      alwaysThe(goesOn, variant, 'tgkill', 7, 7, 18)
    }
  })
})
