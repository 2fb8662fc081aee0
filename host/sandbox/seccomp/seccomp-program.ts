import {
  ALLOWED_SYSCALLS,
  ALLOWED_WITH_NETWORK,
  ALLOWED_WITH_PROCESS,
  UNKNOWN_SYSCALLS,
} from './allowed-syscalls.ts'
import { argumentRules, ERRNO, type ArgumentRule, type ArgumentTest } from './argument-rules.ts'
import { BpfAssembler } from './bpf-assembler.ts'
import { LAST_KNOWN_NUMBER, numberOf, type SeccompArch, type SyscallName } from './syscall-numbers.ts'

export interface SeccompRequest {
  readonly arch: SeccompArch
  /** Whether other processes may be started. */
  readonly process: boolean
  /** Whether there are sockets of the internet families; the network namespace is empty all the same. */
  readonly network: boolean
  /** Whether files may be set-group-ID: harmless where the group is the plugin's own. Absent: no. */
  readonly setGroupId?: boolean
}

export type { SeccompArch }

/** What the kernel is told to do: linux/seccomp.h. */
const KILL_PROCESS = 0x8000_0000
const ALLOW = 0x7fff_0000
const FAIL = 0x0005_0000

/** linux/audit.h. A process that changes its architecture finds another table of numbers: it ends at once. */
const AUDIT_ARCHITECTURES = { x64: 0xc000_003e, arm64: 0xc000_00b7 } as const satisfies Record<
  SeccompArch,
  number
>
/** x86-64's second table of numbers, for programs with short pointers. */
const X32_BIT = 0x4000_0000

/** Offsets in `struct seccomp_data`; an argument takes eight bytes, the low half first. */
const NUMBER_AT = 0
const ARCHITECTURE_AT = 4
const ARGUMENTS_AT = 16
const ARGUMENT_BYTES = 8
const ALL_BITS = 0xffff_ffff

export function isSeccompArch(arch: string): arch is SeccompArch {
  return Object.hasOwn(AUDIT_ARCHITECTURES, arch)
}

const made = new Map<string, Buffer>()

/** The allowlist of system calls as the kernel takes it, an array of `struct sock_filter`. There are few, and each is kept. */
export function seccompProgram(request: SeccompRequest): Buffer {
  const { arch, process, network, setGroupId = false } = request
  const key = `${arch} ${process} ${network} ${setGroupId}`
  const program = made.get(key) ?? makeProgram(request)
  made.set(key, program)
  return program
}

function makeProgram(request: SeccompRequest): Buffer {
  const { arch } = request
  const rules = argumentRules(request)
  const assembler = new BpfAssembler()
  assembler.load(ARCHITECTURE_AT)
  assembler.branch('jumpIfEqual', AUDIT_ARCHITECTURES[arch], { ifTrue: 'known architecture' })
  assembler.return(KILL_PROCESS)
  assembler.label('known architecture')
  assembler.load(NUMBER_AT)
  emitSearch(assembler, ranges(outcomes(request, rules), arch))
  for (const rule of rules) emitRule(assembler, rule)
  return assembler.assemble()
}

/** What becomes of a number: a value to return, or the rule that looks at the arguments. */
type Outcome = number | ArgumentRule

function outcomes(request: SeccompRequest, rules: readonly ArgumentRule[]): Map<number, Outcome> {
  const { arch, process, network } = request
  const found = new Map<number, Outcome>()
  const put = (name: SyscallName, outcome: Outcome): void => {
    const number = numberOf(name, arch)
    if (number === null) return
    if (found.has(number)) throw new RangeError(`"${name}" has two outcomes`)
    found.set(number, outcome)
  }
  for (const name of ALLOWED_SYSCALLS) put(name, ALLOW)
  if (process) for (const name of ALLOWED_WITH_PROCESS) put(name, ALLOW)
  if (network) for (const name of ALLOWED_WITH_NETWORK) put(name, ALLOW)
  for (const name of UNKNOWN_SYSCALLS) put(name, FAIL | ERRNO.ENOSYS)
  for (const rule of rules) for (const name of rule.calls) put(name, rule)
  return found
}

/** Numbers from `from` up to the next range's. */
interface Range {
  readonly from: number
  readonly outcome: Outcome
}

function ranges(found: ReadonlyMap<number, Outcome>, arch: SeccompArch): Range[] {
  const all: Range[] = []
  const add = (from: number, outcome: Outcome): void => {
    if (all.at(-1)?.outcome !== outcome) all.push({ from, outcome })
  }
  for (let number = 0; number <= LAST_KNOWN_NUMBER; number++) {
    add(number, found.get(number) ?? FAIL | ERRNO.EPERM)
  }
  add(LAST_KNOWN_NUMBER + 1, FAIL | ERRNO.ENOSYS)
  if (arch === 'x64') add(X32_BIT, KILL_PROCESS)
  return all
}

/** Halves the ranges until one is left: eight or so comparisons for any number. */
function emitSearch(assembler: BpfAssembler, all: readonly Range[]): void {
  const middle = all.length >> 1
  const pivot = all[middle]
  if (pivot === undefined || middle === 0) return emitOutcome(assembler, all[0]?.outcome ?? KILL_PROCESS)
  const upper = `from ${pivot.from}`
  assembler.branch('jumpIfAtLeast', pivot.from, { ifTrue: upper })
  emitSearch(assembler, all.slice(0, middle))
  assembler.label(upper)
  emitSearch(assembler, all.slice(middle))
}

function emitOutcome(assembler: BpfAssembler, outcome: Outcome): void {
  if (typeof outcome === 'number') assembler.return(outcome)
  else assembler.jump(labelOf(outcome))
}

function labelOf(rule: ArgumentRule): string {
  return `rule ${rule.calls.join(' ')}`
}

function emitRule(assembler: BpfAssembler, rule: ArgumentRule): void {
  assembler.label(labelOf(rule))
  for (const [at, tests] of rule.allow.entries()) {
    const next = `${labelOf(rule)} case ${at + 1}`
    for (const [index, test] of tests.entries()) emitTest(assembler, test, { next, held: `${next} ${index}` })
    assembler.return(ALLOW)
    assembler.label(next)
  }
  assembler.return(FAIL | rule.otherwise)
}

/** Goes on behind the test where it holds, else to `next`. */
function emitTest(
  assembler: BpfAssembler,
  { argument, mask = ALL_BITS, half, oneOf }: ArgumentTest,
  { next, held }: { next: string; held: string },
): void {
  assembler.load(ARGUMENTS_AT + argument * ARGUMENT_BYTES + (half === 'upper' ? ARGUMENT_BYTES / 2 : 0))
  if (mask !== ALL_BITS) assembler.and(mask)
  for (const value of oneOf.slice(0, -1)) assembler.branch('jumpIfEqual', value, { ifTrue: held })
  assembler.branch('jumpIfEqual', oneOf.at(-1) ?? 0, { ifFalse: next })
  assembler.label(held)
}
