import * as fc from 'fast-check'
import type { AdminRule } from '../../host/approvals/admin-rules.ts'
import { judgeRights } from '../../host/approvals/judge-rights.ts'
import { parseRights, rightText, sorted, type Right } from '../../host/approvals/right.ts'
import { fuzz } from '../helpers/fuzz.ts'

/**
 * One thing that a plugin could do: to read or write one place, to reach one host on one port, to know one variable.
 * What a right allows is asked here point by point, by other code than that which is tried.
 */
type Point = readonly [kind: string, value: string, port?: number]

const FOLDERS = ['', '/srv', '/srv/a', '/srv/ab', '${workspace}', '${workspace}/a', '${workspace}/a/b']
const HOSTS = ['*', 'a.org', '*.a.org', 'x.a.org', '10.0.0.7', '[::1]']
const PORTS = ['', ':443', ':8080']
const VARIABLES = ['LANG', 'TOKEN']

const POINTS: readonly Point[] = [
  ...FOLDERS.flatMap((folder) => (['read', 'write'] as const).map((act): Point => [act, `${folder}/file`])),
  ...['a.org', 'x.a.org', 'b.org', '10.0.0.7', '[::1]'].flatMap((host) =>
    [80, 443, 8080].map((port): Point => ['connect', host, port]),
  ),
  ...VARIABLES.map((name): Point => ['know', name]),
  ['start', ''],
  ['runtime', 'eval'],
]

/** Of the few texts that there are: a bit for each point. */
const known = new Map<string, bigint>()

function reachOf(text: string): bigint {
  const found = known.get(text)
  if (found !== undefined) return found
  const bits = POINTS.reduce(
    (sum, point, index) => (doesAllow(text, point) ? sum | (1n << BigInt(index)) : sum),
    0n,
  )
  known.set(text, bits)
  return bits
}

function reachOfAll(list: readonly Right[]): bigint {
  return list.reduce((sum, right) => sum | reachOf(rightText(right)), 0n)
}

function pointsIn(bits: bigint): string {
  return POINTS.filter((_, index) => (bits >> BigInt(index)) & 1n)
    .map((point) => point.join(' '))
    .join(', ')
}

function doesAllow(text: string, [act, value, port = 0]: Point): boolean {
  const [kind = '', ...rest] = text.split(':')
  const named = rest.join(':')
  if (kind === 'fs_read' || kind === 'fs_write') {
    if (act !== 'read' && !(act === 'write' && kind === 'fs_write')) return false
    return named === '/' ? value.startsWith('/') : value.startsWith(`${named}/`)
  }
  if (kind === 'network' && act === 'connect') {
    const [, host = named, asked] = /^(.*?)(?::(\d+))?$/.exec(named.replace(/^\[::1\]/, 'v6')) ?? []
    const ports = asked === undefined ? [80, 443] : [Number(asked)]
    const target = value.replace('[::1]', 'v6')
    const isAddress = target === 'v6' || target === '10.0.0.7'
    const isNamed = host === target
    const isBelow = host.startsWith('*.') && target.endsWith(host.slice(1)) && !isAddress
    return ports.includes(port) && (isNamed || isBelow || (host === '*' && !isAddress))
  }
  if (kind === 'env') return act === 'know' && named === value
  if (kind === 'process') return act === 'start'
  return kind === 'runtime' && act === 'runtime' && named === value
}

const texts = fc.oneof(
  fc
    .tuple(fc.constantFrom('fs_read', 'fs_write'), fc.constantFrom(...FOLDERS))
    .map(([kind, folder]) => `${kind}:${folder === '' ? '/' : folder}`),
  fc
    .tuple(fc.constantFrom(...HOSTS), fc.constantFrom(...PORTS))
    .map(([host, port]) => `network:${host}${port}`),
  fc.constantFrom(...VARIABLES.map((name) => `env:${name}`), 'process', 'runtime:eval'),
)
const rights = fc.array(texts, { maxLength: 6 }).map((all) => sorted(all.flatMap(readRight)))

function readRight(text: string): Right[] {
  const read = parseRights(text)
  if ('error' in read) throw new Error(read.error)
  return read
}

const limitedKinds = ['fs_read', 'fs_write', 'network', 'env', 'runtime'] as const
const rule: fc.Arbitrary<AdminRule> = fc
  .record({
    refuse: fc.array(texts, { maxLength: 2 }),
    limited: fc.subarray([...limitedKinds]),
    only: fc.array(texts, { maxLength: 6 }),
    isBlocked: fc.boolean(),
  })
  .map(({ refuse, limited, only, isBlocked }) => ({
    blockedAt: isBlocked && refuse.length === 2 ? 'policy.yaml:1:1' : null,
    refuse: refuse.flatMap(readRight).map((right) => ({ right, place: 'policy.yaml:1:1' })),
    only: Object.fromEntries(
      limited.map((kind) => [
        kind,
        { rights: only.flatMap(readRight).filter((right) => right.kind === kind), place: 'policy.yaml:1:1' },
      ]),
    ),
  }))

/** A refused host without a port is every port; a refused place that may not be read may not be written. */
function refusedBy(text: string): bigint {
  if (text.startsWith('fs_read:')) return reachOf(text.replace('fs_read:', 'fs_write:'))
  // To write a place is what was refused; to read it was not.
  if (text.startsWith('fs_write:')) return reachOf(text) & ~reachOf(text.replace('fs_write:', 'fs_read:'))
  const hasPort = /:\d+$/.test(text)
  if (!text.startsWith('network:') || hasPort) return reachOf(text)
  return [80, 443, 8080].reduce((sum, port) => sum | reachOf(`${text}:${port}`), 0n)
}

const ALL = (1n << BigInt(POINTS.length)) - 1n
const READS = reachOfKinds(['read'])
const WRITES = reachOfKinds(['write'])

function reachOfKinds(acts: readonly string[]): bigint {
  return POINTS.reduce((sum, [act], index) => (acts.includes(act) ? sum | (1n << BigInt(index)) : sum), 0n)
}

/** What a rule takes away. */
function takenBy({ refuse, only }: AdminRule): bigint {
  const refused = refuse.reduce((sum, { right }) => sum | refusedBy(rightText(right)), 0n)
  const left = (kind: keyof AdminRule['only']): bigint | null =>
    only[kind] === undefined ? null : reachOfAll(only[kind].rights)
  const [read, write] = [left('fs_read'), left('fs_write')]
  const reading = read === null ? 0n : READS & ~(read | (write ?? 0n))
  const asWriting = (only.fs_read?.rights ?? []).map((right): Right => ({ ...right, kind: 'fs_write' }))
  const writing = write !== null ? WRITES & ~write : read === null ? 0n : WRITES & ~reachOfAll(asWriting)
  const others = (['network', 'env', 'runtime'] as const).map((kind) => {
    const act = { network: 'connect', env: 'know', runtime: 'runtime' }[kind]
    const reach = left(kind)
    return reach === null ? 0n : reachOfKinds([act]) & ~reach
  })
  return [reading, writing, ...others].reduce((sum, bits) => sum | bits, refused)
}

describe('What a plugin holds in the end', function () {
  this.timeout(60_000)

  it('is never more than it declares, than was approved, or than any rule of the administrator leaves', () => {
    const question = fc.record({
      asked: rights,
      more: rights,
      granted: rights,
      // Mostly it was asked for all of it, and often all of it was given: what nobody decided is blocked, and tells little.
      isDecided: fc.constantFrom(true, true, true, false),
      wasAsked: fc.constantFrom(true, true, true, true, false),
      gaveAll: fc.boolean(),
      isRevoked: fc.boolean(),
      rules: fc.array(rule, { maxLength: 3 }),
      policyFault: fc.constantFrom(null, null, null, 'it is broken'),
    })
    fuzz(
      fc.property(question, (drawn) => {
        const { isDecided, wasAsked, gaveAll, more } = drawn
        const decision = {
          asked: wasAsked ? [...drawn.asked, ...more] : more,
          granted: gaveAll ? [...drawn.asked, ...drawn.granted] : drawn.granted,
        }
        const asked = { ...drawn, decision: isDecided ? decision : null }
        const verdict = judgeRights({ ...asked, pluginId: 'any', refusalOf: () => null })
        const isClosed = asked.policyFault !== null || asked.decision === null
        if (
          (isClosed || asked.rules.some(({ blockedAt }) => blockedAt !== null)) &&
          verdict.blocked === null
        ) {
          throw new Error('it is not blocked')
        }
        const effective = reachOfAll(verdict.effective)
        const taken = asked.rules.reduce((sum, one) => sum | takenBy(one), 0n)
        const most = reachOfAll(asked.asked) & reachOfAll(asked.decision?.granted ?? []) & ALL & ~taken
        const excess = verdict.blocked === null ? effective & ~most : effective
        if (excess !== 0n) throw new Error(`too much is held: ${pointsIn(excess)}`)
      }),
    )
  })

  it('is all that was declared where all of it was approved and nobody takes anything', () => {
    fuzz(
      fc.property(rights, (asked) => {
        const verdict = judgeRights({
          pluginId: 'any',
          asked,
          decision: { asked, granted: asked },
          isRevoked: false,
          rules: [],
          policyFault: null,
          refusalOf: () => null,
        })
        const missing = reachOfAll(asked) ^ reachOfAll(verdict.effective)
        if (verdict.blocked !== null || missing !== 0n)
          throw new Error(`${verdict.blocked}: ${pointsIn(missing)}`)
      }),
    )
  })

  it('waits for a person as soon as one thing is asked for that nobody was asked about', () => {
    fuzz(
      fc.property(rights, rights, (before, asked) => {
        const verdict = judgeRights({
          pluginId: 'any',
          asked,
          decision: { asked: before, granted: before },
          isRevoked: false,
          rules: [],
          policyFault: null,
          refusalOf: () => null,
        })
        const news = reachOfAll(asked) & ~reachOfAll(before)
        if (news !== 0n && verdict.blocked === null)
          throw new Error(`nobody is asked about ${pointsIn(news)}`)
        const isKnown = asked.every((right) => before.some((one) => rightText(one) === rightText(right)))
        if (isKnown && verdict.blocked !== null) throw new Error(verdict.blocked)
      }),
    )
  })
})
