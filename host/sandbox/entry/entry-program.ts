import type { RunnerIdentity } from '../identity.ts'
import type { Rlimits } from '../rlimits.ts'
import { seccompProgram, type SeccompRequest } from '../seccomp/seccomp-program.ts'
import { elfProgram, replaceCall } from './elf-program.ts'
import { type Gate, gateSteps } from './gate-steps.ts'
import { type Listener, listenerSteps } from './listener-steps.ts'
import type { Step, Structure } from './machine-code.ts'
import { type ClosingMount, mountSteps } from './mount-steps.ts'

export interface EntryRequest {
  /** What to mount last; nothing where the program has no capability for it. */
  readonly mounts: readonly ClosingMount[]
  readonly rlimits: Rlimits
  /** Whom to become; null keeps the uid, and then there is no capability to lose either. */
  readonly identity: RunnerIdentity | null
  /** The highest capability that the kernel knows, /proc/sys/kernel/cap_last_cap. */
  readonly lastCapability: number
  /** Which system calls are left, on which architecture. */
  readonly filter: SeccompRequest
  /** What the daemon is to accept the plugin's connections from; null for a plugin without a network. */
  readonly listener: Listener | null
  /** Where the daemon's first `attest` is answered here; null leaves it to the program. */
  readonly gate: Gate | null
}

/** <asm-generic/resource.h>, which x86-64 and arm64 share. */
const RLIMITS = { fsize: 1, data: 2, stack: 3, core: 4, nproc: 6, nofile: 7 } as const satisfies Record<
  keyof Rlimits,
  number
>
/** <linux/prctl.h> */
const PR_SET_SECCOMP = 22
const PR_CAPBSET_DROP = 24
const PR_SET_NO_NEW_PRIVS = 38
/** <linux/seccomp.h> */
const SECCOMP_MODE_FILTER = 2
/** <linux/capability.h>, `_LINUX_CAPABILITY_VERSION_3` */
const CAPABILITY_VERSION_3 = 0x2008_0522

/**
 * The program between bubblewrap and the runner: closes the file system, takes the limits, drops every capability for good, becomes the
 * runner's uid, forbids new privileges, loads the filter of system calls, and executes its arguments. It does what
 * `setpriv … prlimit …` would, in one start without a dynamic loader instead of two with (0.1 ms against 2.3, and five
 * mounts fewer); and the filter comes last, so that it need not allow what only the way to the runner takes. Behind it
 * comes the gate, where there is one: what is tried there is tried with all walls up.
 *
 * Sources: setrlimit(2), capabilities(7), setresuid(2), prctl(2), seccomp(2). What holds in the end is read back from
 * the kernel before a plugin's code runs.
 *
 * @returns the bytes of its executable file
 */
export function entryProgram(request: EntryRequest): Buffer {
  const { identity, filter } = request
  if (identity === null) return makeProgram(request)
  const copy = Buffer.from(templateOf({ ...request, identity: NOBODY }))
  for (const [call, id] of [
    ['setresgid', 'gid'],
    ['setresuid', 'uid'],
  ] as const)
    replaceCall(filter.arch, copy, { call, from: threeTimes(NOBODY[id]), to: threeTimes(identity[id]) })
  return copy
}

/** In the place of whom a program is for: in nothing else do the programs of one plugin differ. */
const NOBODY: RunnerIdentity = { uid: 65_534, gid: 65_534 }
const MAX_TEMPLATES = 64
const templates = new Map<string, Buffer>()

/** Making a program takes 0.3 ms, and each process has a uid of its own: what they share is made once. */
function templateOf(request: EntryRequest): Buffer {
  const key = JSON.stringify(request)
  const kept = templates.get(key)
  if (kept !== undefined) return kept
  if (templates.size >= MAX_TEMPLATES) templates.clear()
  const made = makeProgram(request)
  templates.set(key, made)
  return made
}

function makeProgram(request: EntryRequest): Buffer {
  const { mounts, rlimits, identity, lastCapability, filter, listener, gate } = request
  return elfProgram(filter.arch, [
    ...mountSteps(mounts),
    ...(listener === null ? [] : listenerSteps(listener)),
    ...limitSteps(rlimits),
    ...(identity === null ? [] : identitySteps(identity, lastCapability)),
    { call: 'prctl', arguments: [PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0], refusal: refusalOf('no_new_privs') },
    {
      call: 'prctl',
      arguments: [PR_SET_SECCOMP, SECCOMP_MODE_FILTER, filterProgram(seccompProgram(filter)), 0, 0],
      refusal: refusalOf('a filter of system calls'),
    },
    ...(gate === null ? [] : gateSteps(gate)),
  ])
}

/** `struct sock_fprog` (linux/filter.h): how many instructions of eight bytes, and where they are. */
function filterProgram(instructions: Uint8Array): Structure {
  return { fields: [instructions.length / 8, instructions] }
}

function limitSteps(rlimits: Rlimits): Step[] {
  return Object.entries(rlimits).flatMap(([name, value]) =>
    value === null ? [] : [limitStep(name as keyof Rlimits, value)],
  )
}

/** Soft and hard alike: neither can be raised again. */
function limitStep(name: keyof Rlimits, value: number): Step {
  const limit = Buffer.alloc(16)
  limit.writeBigUInt64LE(BigInt(value), 0)
  limit.writeBigUInt64LE(BigInt(value), 8)
  return {
    call: 'prlimit64',
    arguments: [0, RLIMITS[name], limit, 0],
    refusal: refusalOf(`RLIMIT_${name.toUpperCase()} ${value}`),
  }
}

/** The bounding set first, which needs a capability; with the change of the uid the others go by themselves. */
function identitySteps({ uid, gid }: RunnerIdentity, lastCapability: number): Step[] {
  const header = Buffer.alloc(8)
  header.writeUInt32LE(CAPABILITY_VERSION_3)
  const none = Buffer.alloc(24)
  return [
    ...Array.from({ length: lastCapability + 1 }, (_, capability): Step => ({
      call: 'prctl',
      arguments: [PR_CAPBSET_DROP, capability, 0, 0, 0],
      refusal: refusalOf('an empty capability bounding set'),
    })),
    { call: 'setgroups', arguments: [0, 0], refusal: refusalOf('no supplementary groups') },
    { call: 'setresgid', arguments: threeTimes(gid), refusal: refusalOf('a gid of its own') },
    { call: 'setresuid', arguments: threeTimes(uid), refusal: refusalOf('a uid of its own') },
    // Also the inheritable ones, which a change of the uid leaves.
    { call: 'capset', arguments: [header, none], refusal: refusalOf('no capability') },
  ]
}

/** Real, effective and saved. */
function threeTimes(id: number): number[] {
  return [id, id, id]
}

function refusalOf(what: string): string {
  return `Cannot start the runner with ${what}: the kernel refused it`
}
