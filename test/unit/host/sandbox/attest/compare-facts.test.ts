import { expect } from 'chai'

import { compareFacts, type DaemonView } from '../../../../../host/sandbox/attest/compare-facts.ts'
import { CAPABILITY_SETS, type Expected } from '../../../../../host/sandbox/attest/expected.ts'
import type { KernelFacts } from '../../../../../host/sandbox/attest/read-facts.ts'

const MECHANISMS = {} as Expected['mechanisms']
const EXPECTED: Expected = {
  program: '/node',
  canary: null,
  isGated: false,
  uid: 2000,
  gid: 3000,
  groups: [],
  noNewPrivs: true,
  emptyCapabilities: CAPABILITY_SETS,
  seccompMode: 2,
  namespaces: ['net'],
  rlimits: { data: 1000, nofile: 256, nproc: null, fsize: 1, core: 0, stack: 8 },
  mounts: null,
  env: { HOME: '/tmp', TOKEN: 'topsecret' },
  node: [],
  notHeld: [],
  mechanisms: MECHANISMS,
}
const STATUS = [
  'Uid:\t2000\t2000\t2000\t2000',
  'Gid:\t3000\t3000\t3000\t3000',
  'Groups:\t ',
  ...CAPABILITY_SETS.map((set) => `${set}:\t0000000000000000`),
  'NoNewPrivs:\t1',
  'Seccomp:\t2',
  'Seccomp_filters:\t2',
].join('\n')
const LIMITS = [
  'Max data size             1000                 1000                 bytes     ',
  'Max open files            256                  256                  files     ',
  'Max file size             1                    1                    bytes     ',
  'Max core file size        0                    0                    bytes     ',
].join('\n')
const LINKS: [number, string][] = [
  [0, '/dev/null'],
  [1, 'socket:[1]'],
  [2, 'socket:[2]'],
  [3, 'socket:[3]'],
  [4, 'anon_inode:[eventpoll]'],
  [5, 'pipe:[7]'],
  [6, 'pipe:[7]'],
]

interface Changes {
  status?: string
  limits?: string
  environ?: string
  links?: [number, string][]
  net?: string
  mounts?: string
  networkInode?: number
}

function factsOf(changes: Changes = {}): KernelFacts {
  return {
    status: { value: changes.status ?? STATUS },
    limits: { value: changes.limits ?? LIMITS },
    environ: { value: changes.environ ?? 'HOME=/tmp\0TOKEN=topsecret\0' },
    descriptors: { value: new Map(changes.links ?? LINKS) },
    mounts: { value: changes.mounts ?? '' },
    networkInode: { value: changes.networkInode ?? 2 },
    namespaces: new Map([['net', { value: changes.net ?? 'net:[2]' }]]),
  }
}

const OWN = new Map((['mnt', 'pid', 'net', 'ipc'] as const).map((kind) => [kind, { value: `${kind}:[1]` }]))
const DAEMON: DaemonView = {
  kernel: {
    ...factsOf({ status: 'Gid:\t0\t0\t0\t0\nGroups:\t0\nSeccomp_filters:\t1' }),
    namespaces: new Map([['net', { value: 'net:[1]' }]]),
  },
  lines: [],
  realPath: (path) => path,
}

function differing(changes: Changes, expected: Partial<Expected> = {}): string[] {
  return compareFacts({ ...EXPECTED, ...expected }, factsOf(changes), DAEMON)
    .filter(({ verdict }) => verdict === 'differs')
    .map(({ name }) => name)
}

describe('compareFacts()', () => {
  it('finds nothing where all is as declared', () => expect(differing({})).to.deep.equal([]))

  const cases: readonly [string, string, Changes][] = [
    ['a saved uid that is another', 'uid', { status: STATUS.replace('2000\t2000\nGid', '0\t2000\nGid') }],
    ['a group that was not declared', 'groups', { status: STATUS.replace('Groups:\t ', 'Groups:\t27') }],
    ['a bounding set', 'capabilities', { status: STATUS.replace('CapBnd:\t0000', 'CapBnd:\t0001') }],
    ['no_new_privs not set', 'no_new_privs', { status: STATUS.replace('NoNewPrivs:\t1', 'NoNewPrivs:\t0') }],
    ['no filter', 'seccomp', { status: STATUS.replace('Seccomp:\t2', 'Seccomp:\t0') }],
    [
      "the daemon's filter alone",
      'seccomp',
      { status: STATUS.replace('Seccomp_filters:\t2', 'Seccomp_filters:\t1') },
    ],
    ["the daemon's namespace", 'namespace.net', { net: 'net:[1]' }],
    ['what is no namespace', 'namespace.net', { net: 'something' }],
    [
      'a limit that may be raised',
      'rlimit.data',
      { limits: LIMITS.replace('1000                 bytes', 'unlimited            bytes') },
    ],
    ['a variable more', 'environment', { environ: 'HOME=/tmp\0TOKEN=topsecret\0X=1\0' }],
    ['a variable less', 'environment', { environ: 'HOME=/tmp\0' }],
    ['a variable twice', 'environment', { environ: 'HOME=/tmp\0TOKEN=topsecret\0HOME=/tmp\0' }],
    ['another value', 'environment', { environ: 'HOME=/tmp\0TOKEN=othersecret\0' }],
    ['an open file', 'descriptors', { links: [...LINKS, [9, '/etc/passwd']] }],
    ['a socket more', 'descriptors', { links: [...LINKS, [9, 'socket:[9]']] }],
    ['a pipe whose other end is elsewhere', 'descriptors', { links: [...LINKS, [9, 'pipe:[9]']] }],
    ['an open folder as stdin', 'descriptors', { links: [[0, '/'], ...LINKS.slice(1)] }],
    ['no channel', 'descriptors', { links: LINKS.filter(([number]) => number !== 3) }],
  ]
  for (const [what, name, changes] of cases)
    it(`names ${name} for ${what}`, () => expect(differing(changes)).to.deep.equal([name]))

  it('names no value of a variable', () => {
    const items = compareFacts(EXPECTED, factsOf({ environ: 'HOME=/tmp\0TOKEN=othersecret\0' }), DAEMON)
    expect(JSON.stringify(items)).not.to.match(/topsecret|othersecret/)
  })

  it('says what could not be read, and never calls it proven', () => {
    const facts: KernelFacts = {
      status: { unreadable: 'ENOENT' },
      limits: { unreadable: 'EACCES' },
      environ: { unreadable: 'EACCES' },
      descriptors: { unreadable: 'EACCES' },
      mounts: { unreadable: 'EACCES' },
      networkInode: { unreadable: 'EACCES' },
      namespaces: new Map([['net', { unreadable: 'EACCES' }]]),
    }
    const verdicts = new Set(compareFacts(EXPECTED, facts, DAEMON).map(({ verdict }) => verdict))
    expect([...verdicts]).to.deep.equal(['not_readable'])
  })

  it('tells three namespaces apart by what everybody may read, where their own files are closed', () => {
    const root = (device: string): string => `1 2 ${device} / / rw - ext4 x rw\n`
    const kinds = ['mnt', 'pid', 'net', 'ipc'] as const
    const closed = new Map(kinds.map((kind) => [kind, { unreadable: 'EACCES' }]))
    const verdictsOf = (facts: KernelFacts): (string | undefined)[] => {
      const own = {
        ...factsOf({ status: 'NSpid:\t7', mounts: root('8:1'), networkInode: 1 }),
        namespaces: OWN,
      }
      const items = compareFacts({ ...EXPECTED, namespaces: kinds }, facts, { ...DAEMON, kernel: own })
      return kinds.map((kind) => items.find(({ name }) => name === `namespace.${kind}`)?.verdict)
    }
    const apart = factsOf({ status: `${STATUS}\nNSpid:\t9\t2`, mounts: root('0:9'), networkInode: 2 })
    expect(verdictsOf({ ...apart, namespaces: closed })).to.deep.equal([
      'holds',
      'holds',
      'holds',
      'not_readable',
    ])
    const shared = factsOf({ status: `${STATUS}\nNSpid:\t9`, mounts: root('8:1'), networkInode: 1 })
    const differs = ['differs', 'differs', 'differs', 'not_readable']
    expect(verdictsOf({ ...shared, namespaces: closed })).to.deep.equal(differs)
  })

  it('takes a text that lacks a field for unreadable, not for zero', () => {
    const items = compareFacts(EXPECTED, factsOf({ status: '', limits: '' }), DAEMON)
    const unread = items.filter(({ verdict }) => verdict === 'not_readable').map(({ name }) => name)
    expect(unread).to.include.members([
      'uid',
      'groups',
      'no_new_privs',
      'capabilities',
      'seccomp',
      'rlimit.data',
    ])
  })

  it('lists by name what the tier does not hold', () => {
    const notHeld = [{ name: 'seccomp', declared: 'open' }]
    const items = compareFacts({ ...EXPECTED, seccompMode: null, notHeld }, factsOf(), DAEMON)
    expect(items.filter(({ name }) => name === 'seccomp').map(({ verdict }) => verdict)).to.deep.equal([
      'not_held',
    ])
  })
})
