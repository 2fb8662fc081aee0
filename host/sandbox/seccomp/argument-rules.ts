import type { SyscallName } from './syscall-numbers.ts'

/** asm-generic/errno: the same on both architectures. */
export const ERRNO = { EPERM: 1, ENOSYS: 38, ENOPROTOOPT: 92, EAFNOSUPPORT: 97 } as const

/**
 * Whether an argument, masked, is one of the values. Only its low 32 bits count, as for the kernel, which takes each
 * of these arguments as an `int`: setting high bits gets nothing past it (CVE-2019-10063).
 */
export interface ArgumentTest {
  readonly argument: 0 | 1 | 2 | 3 | 4 | 5
  readonly mask?: number
  /** The upper half instead, for a pointer that must be null. */
  readonly half?: 'upper'
  readonly oneOf: readonly number[]
}

/** A call is let through where all tests of any one of the cases hold; else it fails with `otherwise`. */
export interface ArgumentRule {
  readonly calls: readonly SyscallName[]
  readonly allow: readonly (readonly ArgumentTest[])[]
  readonly otherwise: number
}

export interface RuleRequest {
  readonly process: boolean
  readonly network: boolean
  readonly setGroupId?: boolean
}

/** Calls that are needed, but not with every argument. */
export function argumentRules({ process, network, setGroupId = false }: RuleRequest): ArgumentRule[] {
  return [
    cloneRule(process),
    mmapRule(),
    socketRule(network),
    socketpairRule(network),
    socketOptionRule(network),
    rule(['ioctl'], [[{ argument: 1, oneOf: IOCTLS }]]),
    rule(['fcntl'], [[{ argument: 1, oneOf: FCNTLS }]]),
    rule(['prctl'], [[{ argument: 0, oneOf: process ? [...PRCTLS, PR_SET_CHILD_SUBREAPER] : PRCTLS }]]),
    rule(['madvise'], [[{ argument: 2, oneOf: ADVICE }]]),
    limitRule(process),
    ...signalRules(process),
    ...modeRules(process, setGroupId ? SET_USER_ID : SET_USER_ID | SET_GROUP_ID),
  ]
}

function rule(
  calls: readonly SyscallName[],
  allow: ArgumentRule['allow'],
  otherwise: number = ERRNO.EPERM,
): ArgumentRule {
  return { calls, allow, otherwise }
}

/** CLONE_NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET, NEWNS, PTRACE, UNTRACED, PARENT. */
const CLONE_FORBIDDEN =
  0x0200_0000 | 0x0400_0000 | 0x0800_0000 | 0x1000_0000 | 0x2000_0000 | 0x4000_0000 | 0x2_0000 | 0x80_a000
const CLONE_THREAD = 0x1_0000

/** Threads for everybody; processes, which is what a clone without CLONE_THREAD makes, where they were granted. */
function cloneRule(process: boolean): ArgumentRule {
  const noNamespace: ArgumentTest = { argument: 0, mask: CLONE_FORBIDDEN, oneOf: [0] }
  const isThread: ArgumentTest = { argument: 0, mask: CLONE_THREAD, oneOf: [CLONE_THREAD] }
  return rule(['clone'], [process ? [noNamespace] : [noNamespace, isThread]])
}

/** asm-generic/signal.h */
const SIGCONT = 18
const LAST_SIGNAL = 64

/**
 * Any signal but SIGCONT, which takes back a stop that is on its way: of several threads one that has not stopped yet would
 * always set all going again (seen), and the daemon stops what uses more than its share of the processor. Programs need it.
 */
function signalRules(process: boolean): ArgumentRule[] {
  const signals = Array.from({ length: LAST_SIGNAL + 1 }, (_, signal) => signal)
  const oneOf = process ? signals : signals.filter((signal) => signal !== SIGCONT)
  return [rule(['kill', 'tkill'], [[{ argument: 1, oneOf }]]), rule(['tgkill'], [[{ argument: 2, oneOf }]])]
}

const MAP_TYPE = 0xf
const MAP_SHARED = 1
const MAP_PRIVATE = 2
const MAP_SHARED_VALIDATE = 3
const MAP_ANONYMOUS = 0x20
const MAP_GROWSDOWN = 0x100
const PROT_WRITE = 2

/**
 * RLIMIT_DATA counts neither shared memory nor what grows like a stack. Files may be mapped shared to be read;
 * whoever makes such a map writable later (`mprotect` can't be told from its arguments) still only writes to a
 * file: nothing in a sandbox's /dev is memory.
 */
function mmapRule(): ArgumentRule {
  const notGrowing: ArgumentTest = { argument: 3, mask: MAP_GROWSDOWN, oneOf: [0] }
  return rule(
    ['mmap'],
    [
      [notGrowing, { argument: 3, mask: MAP_TYPE, oneOf: [MAP_PRIVATE] }],
      [
        notGrowing,
        { argument: 3, mask: MAP_TYPE | MAP_ANONYMOUS, oneOf: [MAP_SHARED, MAP_SHARED_VALIDATE] },
        { argument: 2, mask: PROT_WRITE, oneOf: [0] },
      ],
    ],
  )
}

const AF_UNIX = 1
const AF_INET = [2, 10]
/** Without SOCK_NONBLOCK and SOCK_CLOEXEC. */
const SOCKET_TYPE = 0xf
const SOCK_STREAM = 1
const SOCK_DGRAM = 2
const SOCK_SEQPACKET = 5
const IPPROTO_TCP = 6
const IPPROTO_UDP = 17
/** The default, or PF_UNIX by its own number. */
const UNIX_PROTOCOLS = [0, 1]

/** A datagram goes to whatever address stands on it: only those who may connect have them. */
function unixSocket(network: boolean): ArgumentTest[] {
  return [
    { argument: 0, oneOf: [AF_UNIX] },
    {
      argument: 1,
      mask: SOCKET_TYPE,
      oneOf: network ? [SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM] : [SOCK_STREAM, SOCK_SEQPACKET],
    },
    { argument: 2, oneOf: UNIX_PROTOCOLS },
  ]
}

/** No other protocol than TCP and UDP: asking for one makes the kernel load its module. */
const INET_SOCKET: readonly ArgumentTest[] = [
  { argument: 0, oneOf: AF_INET },
  { argument: 1, mask: SOCKET_TYPE, oneOf: [SOCK_STREAM, SOCK_DGRAM] },
  { argument: 2, oneOf: [0, IPPROTO_TCP, IPPROTO_UDP] },
]

function socketRule(network: boolean): ArgumentRule {
  return rule(
    ['socket'],
    network ? [unixSocket(network), INET_SOCKET] : [unixSocket(network)],
    ERRNO.EAFNOSUPPORT,
  )
}

function socketpairRule(network: boolean): ArgumentRule {
  return rule(['socketpair'], [unixSocket(network)], ERRNO.EAFNOSUPPORT)
}

const SOL_SOCKET = 1
/** REUSEADDR BROADCAST SNDBUF RCVBUF KEEPALIVE LINGER REUSEPORT PASSCRED RCVTIMEO SNDTIMEO TIMESTAMP, 64-bit times. */
const SOCKET_OPTIONS = [2, 6, 7, 8, 9, 13, 15, 16, 20, 21, 29, 66, 67]
/** NODELAY CORK KEEPIDLE KEEPINTVL KEEPCNT LINGER2 DEFER_ACCEPT QUICKACK USER_TIMEOUT FASTOPEN, FASTOPEN_CONNECT. */
const TCP_OPTIONS = [1, 3, 4, 5, 6, 8, 9, 12, 18, 23, 30]
const IPPROTO_IP = 0
/** TOS TTL MTU_DISCOVER RECVERR BIND_ADDRESS_NO_PORT. */
const IP_OPTIONS = [1, 2, 10, 11, 24]
const IPPROTO_IPV6 = 41
/** UNICAST_HOPS MTU_DISCOVER RECVERR V6ONLY TCLASS. */
const IPV6_OPTIONS = [16, 23, 25, 26, 67]

/** Left out are those that bring programs (socket filters) and other protocols (TCP_ULP) into the kernel. */
function socketOptionRule(network: boolean): ArgumentRule {
  const level = (at: number, options: readonly number[]): ArgumentTest[] => [
    { argument: 1, oneOf: [at] },
    { argument: 2, oneOf: options },
  ]
  const inet = [
    level(IPPROTO_TCP, TCP_OPTIONS),
    level(IPPROTO_IP, IP_OPTIONS),
    level(IPPROTO_IPV6, IPV6_OPTIONS),
  ]
  return rule(
    ['setsockopt'],
    [level(SOL_SOCKET, SOCKET_OPTIONS), ...(network ? inet : [])],
    ERRNO.ENOPROTOOPT,
  )
}

/**
 * One's own limits may be looked at; a shell also lowers them. They can't be raised, but for those that are set soft
 * alone; and of others' limits nothing is to be known or set.
 */
function limitRule(process: boolean): ArgumentRule {
  const own: ArgumentTest = { argument: 0, oneOf: [0] }
  const looks: ArgumentTest[] = [
    { argument: 2, oneOf: [0] },
    { argument: 2, half: 'upper', oneOf: [0] },
  ]
  return rule(['prlimit64'], [process ? [own] : [own, ...looks]])
}

/** TCGETS TIOCGWINSZ FIONREAD FIONBIO FIONCLEX FIOCLEX FIOASYNC. No TIOCSTI, no TIOCLINUX. */
const IOCTLS = [0x5401, 0x5413, 0x541b, 0x5421, 0x5450, 0x5451, 0x5452]

/**
 * F_DUPFD to F_SETLKW, locks of open files, F_DUPFD_CLOEXEC, F_GETPIPE_SZ, F_GET_SEALS. No F_SETLEASE, which makes
 * others wait for a file, and no F_SETPIPE_SZ, which makes memory of the kernel's.
 */
const FCNTLS = [0, 1, 2, 3, 4, 5, 6, 7, 36, 37, 38, 1030, 1032, 1034]

/**
 * PDEATHSIG DUMPABLE NAME CAPBSET(read) TIMERSLACK NO_NEW_PRIVS THP_DISABLE, and names for anonymous memory. Seccomp, ptrace and memory-map switches are not among them.
 */
const PRCTLS = [1, 2, 3, 4, 15, 16, 23, 29, 30, 38, 39, 41, 42, 0x5356_4d41]
const PR_SET_CHILD_SUBREAPER = 36

/** All but MERGEABLE (tells what others have in memory), REMOVE and what poisons pages. */
const ADVICE = [0, 1, 2, 3, 4, 8, 10, 11, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 25]

const SET_USER_ID = 0o4000
const SET_GROUP_ID = 0o2000
const O_CREAT = 0o100
const O_TMPFILE = 0o2000_0000
const S_IFMT = 0o170000
const S_IFIFO = 0o010000

/**
 * A file that runs as its owner would carry the plugin's uid, under an ordinary daemon a person's, to others. A root
 * daemon makes data folders set-group-ID; what is copied in them keeps that, and their group is the plugin's own.
 */
function modeRules(process: boolean, forbidden: number): ArgumentRule[] {
  const noSetId = (argument: 0 | 1 | 2 | 3): ArgumentTest => ({ argument, mask: forbidden, oneOf: [0] })
  const makesNone = (argument: 1 | 2): ArgumentTest => ({
    argument,
    mask: O_CREAT | O_TMPFILE,
    oneOf: [0],
  })
  const fifo = (argument: 1 | 2): ArgumentTest => ({
    argument,
    mask: S_IFMT | forbidden,
    oneOf: [S_IFIFO],
  })
  return [
    rule(['open'], [[makesNone(1)], [noSetId(2)]]),
    rule(['openat'], [[makesNone(2)], [noSetId(3)]]),
    rule(['chmod', 'fchmod', 'mkdir', 'creat'], [[noSetId(1)]]),
    rule(['fchmodat', 'mkdirat'], [[noSetId(2)]]),
    ...(process ? [rule(['mknod'], [[fifo(1)]]), rule(['mknodat'], [[fifo(2)]])] : []),
  ]
}
