import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import * as fc from 'fast-check'

import {
  ALLOWED_SYSCALLS,
  ALLOWED_WITH_NETWORK,
  ALLOWED_WITH_PROCESS,
  UNKNOWN_SYSCALLS,
} from '../../../../../host/sandbox/seccomp/allowed-syscalls.ts'
import { argumentRules } from '../../../../../host/sandbox/seccomp/argument-rules.ts'
import { isSeccompArch } from '../../../../../host/sandbox/seccomp/seccomp-program.ts'
import {
  LAST_KNOWN_NUMBER,
  numberOf,
  SYSCALL_NUMBERS,
  type SyscallName,
} from '../../../../../host/sandbox/seccomp/syscall-numbers.ts'
import { skipBecause } from '../../../../helpers/skip.ts'
import {
  ALLOW,
  ask,
  AUDIT,
  call,
  EPERM,
  KILL,
  registers,
  VARIANTS,
  variants,
  type Variant,
} from './ask-filter.ts'

const ENOSYS = 38
const RUNS = 20_000

/** Numbers on x86-64 and arm64 of what must never be allowed, typed out from the kernel's own tables. */
const CLOSED: Record<string, readonly [number, number]> = {
  ptrace: [101, 117],
  process_vm_readv: [310, 270],
  process_vm_writev: [311, 271],
  kcmp: [312, 272],
  pidfd_open: [434, 434],
  pidfd_getfd: [438, 438],
  pidfd_send_signal: [424, 424],
  unshare: [272, 97],
  setns: [308, 268],
  mount: [165, 40],
  umount2: [166, 39],
  pivot_root: [155, 41],
  chroot: [161, 51],
  move_mount: [429, 429],
  open_tree: [428, 428],
  fsopen: [430, 430],
  fsconfig: [431, 431],
  fsmount: [432, 432],
  fspick: [433, 433],
  mount_setattr: [442, 442],
  open_by_handle_at: [304, 265],
  name_to_handle_at: [303, 264],
  memfd_create: [319, 279],
  memfd_secret: [447, 447],
  io_uring_setup: [425, 425],
  io_uring_enter: [426, 426],
  io_uring_register: [427, 427],
  userfaultfd: [323, 282],
  bpf: [321, 280],
  seccomp: [317, 277],
  perf_event_open: [298, 241],
  keyctl: [250, 219],
  add_key: [248, 217],
  request_key: [249, 218],
  personality: [135, 92],
  kexec_load: [246, 104],
  init_module: [175, 105],
  finit_module: [313, 273],
  delete_module: [176, 106],
  shmget: [29, 194],
  shmat: [30, 196],
  semget: [64, 190],
  msgget: [68, 186],
  mq_open: [240, 180],
  remap_file_pages: [216, 234],
  fanotify_init: [300, 262],
  vmsplice: [278, 75],
  splice: [275, 76],
  tee: [276, 77],
  mbind: [237, 235],
  move_pages: [279, 239],
  mlockall: [151, 230],
  mincore: [27, 232],
  setxattr: [188, 5],
  execveat: [322, 281],
  setuid: [105, 146],
  setresuid: [117, 147],
  setgroups: [116, 159],
  capset: [126, 91],
  sethostname: [170, 161],
  settimeofday: [164, 170],
  clock_settime: [227, 112],
  reboot: [169, 142],
  swapon: [167, 224],
  syslog: [103, 116],
  acct: [163, 89],
  quotactl: [179, 60],
  lookup_dcookie: [212, 18],
  process_madvise: [440, 440],
  landlock_create_ruleset: [444, 444],
}

describe('the filter of system calls', () => {
  it('exists for two architectures', () => {
    expect(
      ['x64', 'arm64', 'ia32', 'riscv64', 'constructor'].map((arch) => isSeccompArch(arch)),
    ).to.deep.equal([true, true, false, false, false])
  })

  it('ends a process that speaks for another architecture, or with the numbers of x32', () => {
    fc.assert(
      fc.property(variants, fc.nat(0xffff_ffff), registers, (variant, architecture, given) => {
        fc.pre(architecture !== AUDIT[variant.arch])
        expect(ask(variant, { number: 0, arguments: given, architecture })).to.equal(KILL)
      }),
      {
        numRuns: 2000,
        examples: VARIANTS.map((variant) => [variant, 0x4000_0003, [0n, 0n, 0n, 0n, 0n, 0n]]),
      },
    )
    for (const variant of VARIANTS.filter(({ arch }) => arch === 'x64')) {
      for (const number of [0x4000_0000, 0x4000_0001, 0x4000_0208, 0xffff_ffff]) {
        expect(ask(variant, { number })).to.equal(KILL)
      }
    }
  })

  it('allows no number outside its table, whatever the arguments', () => {
    fc.assert(
      fc.property(
        variants,
        fc.oneof(fc.nat(600), fc.nat(0xffff_ffff)),
        registers,
        (variant, number, given) => {
          const answer = ask(variant, { number, arguments: given })
          if (listed(variant).has(number)) expect(answer).to.not.equal(KILL)
          else expect(answer).to.not.equal(ALLOW)
        },
      ),
      { numRuns: RUNS },
    )
  })

  it('allows no other number of the tables and a long way beyond, each asked in turn', () => {
    const patterns = [0n, ~0n, 1n].map((value) => Array<bigint>(6).fill(value))
    for (const variant of VARIANTS) {
      const mayBe = listed(variant)
      for (let number = 0; number < 1200; number++) {
        if (mayBe.has(number)) continue
        for (const given of patterns) {
          const answer = ask(variant, { number, arguments: given })
          expect([EPERM, ENOSYS], `${number} on ${variant.arch}`).to.include(answer)
        }
      }
    }
  })

  it('calls what is newer than its tables unknown, and what it knows forbidden', () => {
    for (const variant of VARIANTS) {
      for (const number of [LAST_KNOWN_NUMBER + 1, 462, 1000])
        expect(ask(variant, { number })).to.equal(ENOSYS)
      for (const name of UNKNOWN_SYSCALLS) expect(call(variant, name), name).to.equal(ENOSYS)
      for (const [name, numbers] of Object.entries(CLOSED)) {
        const number = numbers[variant.arch === 'x64' ? 0 : 1]
        expect(ask(variant, { number }), `${name} on ${variant.arch}`).to.equal(EPERM)
      }
    }
  })

  it('allows what stands in its list whatever the arguments', () => {
    for (const variant of VARIANTS) {
      for (const name of unconditional(variant)) {
        const number = numberOf(name, variant.arch)
        if (number === null) continue
        const given = [~0n, ~0n, ~0n, ~0n, ~0n, ~0n]
        expect(ask(variant, { number, arguments: given }), name).to.equal(ALLOW)
      }
    }
  })

  it('agrees with the tables of the kernel on this machine', function () {
    const header = '/usr/include/x86_64-linux-gnu/asm/unistd_64.h'
    const generic = '/usr/include/asm-generic/unistd.h'
    for (const [file, arch] of [
      [header, 'x64'],
      [generic, 'arm64'],
    ] as const) {
      const text = readHeader(file) ?? skipBecause.call(this, `there is no ${file}`)
      const known = new Map(
        Array.from(text.matchAll(/#define __NR(?:3264)?_(\w+)\s+(\d+)/g), ([, name, number]) => [
          name,
          Number(number),
        ]),
      )
      for (const name of Object.keys(SYSCALL_NUMBERS) as SyscallName[]) {
        const number = numberOf(name, arch)
        // asm-generic calls these by another word.
        const word = arch === 'arm64' && name === 'newfstatat' ? 'fstatat' : name
        expect(known.get(word) ?? null, `${name} on ${arch}`).to.equal(number)
      }
    }
  })
})

function unconditional({ process, network }: Variant): SyscallName[] {
  return [
    ...ALLOWED_SYSCALLS,
    ...(process ? ALLOWED_WITH_PROCESS : []),
    ...(network ? ALLOWED_WITH_NETWORK : []),
  ]
}

/** Numbers that may be allowed, by their arguments or at all. */
function listed(variant: Variant): Set<number> {
  const names = [...unconditional(variant), ...argumentRules(variant).flatMap((rule) => rule.calls)]
  return new Set(names.flatMap((name) => numberOf(name, variant.arch) ?? []))
}

function readHeader(file: string): string | null {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return null
  }
}
