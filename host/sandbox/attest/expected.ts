import type { ExpectedMount } from './expected-mounts.ts'
import type { Gate } from '../entry/gate-steps.ts'
import type { Rlimits } from '../rlimits.ts'

/** As `/proc/PID/ns` names them. */
export type NamespaceKind = 'mnt' | 'pid' | 'net' | 'ipc' | 'uts' | 'cgroup' | 'user'

/** What a plan declares of the process that comes of it; whatever stands here is read back before plugin code loads. */
export interface Expected {
  /** The first word of the command line when it is looked at; another one is still that of a program in the chain before. */
  readonly program: string
  /** What the entry program tries; null where the runner tries it. */
  readonly canary: Gate | null
  /** Whether it then waits: the program behind it answers no `attest`. */
  readonly isGated: boolean
  /** The host's number, four times over: real, effective, saved, of the file system. */
  readonly uid: number
  /** Null: the daemon's own. */
  readonly gid: number | null
  /** Null: those that the daemon has, since only root may drop them. */
  readonly groups: readonly number[] | null
  readonly noNewPrivs: boolean
  /** Of the five sets of capabilities, those that are empty; all five is no way back. */
  readonly emptyCapabilities: readonly CapabilitySet[]
  /** 2: a filter of ours beside those that the daemon itself is under. Null: not promised. */
  readonly seccompMode: 2 | null
  /** Another one than the daemon's. */
  readonly namespaces: readonly NamespaceKind[]
  /** Soft and hard. Null: none is set. */
  readonly rlimits: Rlimits | null
  /** All that is mounted. Null: it has the daemon's file system. */
  readonly mounts: readonly ExpectedMount[] | null
  /** Exactly these, with these values. */
  readonly env: Readonly<Record<string, string>>
  /** What Node's permission model grants beside files (`child`, `net`, …). */
  readonly node: readonly string[]
  /** What the tier does not hold, by name. */
  readonly notHeld: readonly NotHeld[]
  /** In words, by the first part of an item's name. */
  readonly mechanisms: Readonly<Record<MechanismKey, string | null>>
}

export type CapabilitySet = 'CapInh' | 'CapPrm' | 'CapEff' | 'CapBnd' | 'CapAmb'
export const CAPABILITY_SETS = ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'] as const

export type MechanismKey =
  | 'uid'
  | 'groups'
  | 'no_new_privs'
  | 'capabilities'
  | 'seccomp'
  | 'namespace'
  | 'rlimit'
  | 'environment'
  | 'descriptors'
  | 'files'
  | 'processes'
  | 'network'

interface NotHeld {
  readonly name: string
  readonly declared: string
}
