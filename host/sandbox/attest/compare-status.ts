import { listOrNone, type Compared } from './compared.ts'
import { CAPABILITY_SETS, type Expected } from './expected.ts'
import { parseNumbers, parseStatus } from './parse-proc.ts'
import type { Reading } from './read-facts.ts'

/** What `/proc/PID/status` says, beside what the daemon's own does. */
export function compareStatus(
  expected: Expected,
  text: Reading<string>,
  daemons: Reading<string>,
): Compared[] {
  const status = statusOf(text)
  const own = statusOf(daemons)
  return [
    compareUser(expected, status, own),
    compareGroups(expected, status, own),
    ...(expected.noNewPrivs ? [compareNoNewPrivs(status)] : []),
    compareCapabilities(expected, status),
    ...(expected.seccompMode === null ? [] : [compareSeccomp(status, own)]),
  ]
}

type Status = Reading<ReadonlyMap<string, string>>

function statusOf(text: Reading<string>): Status {
  return 'value' in text ? { value: parseStatus(text.value) } : text
}

/** A field of the status; a text that lacks it is as good as none. */
function fieldOf(status: Status, name: string): { readonly value: string } | string {
  if (!('value' in status)) return status.unreadable
  const value = status.value.get(name)
  return value === undefined ? `it has no ${name}` : { value }
}

function compareUser(expected: Expected, status: Status, own: Status): Compared {
  const gid = expected.gid ?? ownNumber(own, 'Gid')
  const uids = fieldOf(status, 'Uid')
  const gids = fieldOf(status, 'Gid')
  const declared = `uid ${expected.uid}, gid ${gid ?? 'of the daemon'}`
  const compared = { name: 'uid', declared, mechanism: 'uid', file: 'status Uid, Gid' } as const
  if (typeof uids === 'string') return { ...compared, found: uids }
  if (typeof gids === 'string') return { ...compared, found: gids }
  const holds = isFourTimes(uids.value, expected.uid) && gid !== null && isFourTimes(gids.value, gid)
  const effective = holds ? declared : `uid ${uids.value}, gid ${gids.value}`
  return { ...compared, found: { effective: effective.replaceAll('\t', ' '), holds } }
}

function isFourTimes(text: string, id: number): boolean {
  const ids = parseNumbers(text)
  return ids?.length === 4 && ids.every((one) => one === id)
}

function ownNumber(own: Status, name: string): number | null {
  const field = fieldOf(own, name)
  return typeof field === 'string' ? null : (parseNumbers(field.value)?.[1] ?? null)
}

function compareGroups(expected: Expected, status: Status, own: Status): Compared {
  const field = fieldOf(status, 'Groups')
  const daemons = fieldOf(own, 'Groups')
  const wanted = expected.groups ?? (typeof daemons === 'string' ? null : parseNumbers(daemons.value))
  const words =
    expected.groups === null ? "the daemon's, which only root could drop" : listOrNone(expected.groups)
  const compared = { name: 'groups', declared: words, mechanism: 'groups', file: 'status Groups' } as const
  if (typeof field === 'string') return { ...compared, found: field }
  const found = parseNumbers(field.value)
  const holds = found !== null && wanted !== null && found.every((group) => wanted.includes(group))
  return {
    ...compared,
    found: { effective: found === null ? 'no list of numbers' : listOrNone(found), holds },
  }
}

function compareNoNewPrivs(status: Status): Compared {
  const field = fieldOf(status, 'NoNewPrivs')
  const isSet = typeof field !== 'string' && field.value === '1'
  return {
    name: 'no_new_privs',
    declared: 'set',
    mechanism: 'no_new_privs',
    file: 'status NoNewPrivs',
    found: typeof field === 'string' ? field : { effective: isSet ? 'set' : 'not set', holds: isSet },
  }
}

function compareCapabilities(expected: Expected, status: Status): Compared {
  const isWhole = expected.emptyCapabilities.length === CAPABILITY_SETS.length
  const fields = expected.emptyCapabilities.map((set) => [set, fieldOf(status, set)] as const)
  const missing = fields.map(([, field]) => field).find((field) => typeof field === 'string')
  const left = fields.flatMap(([set, field]) =>
    typeof field === 'string' || /^0+$/.test(field.value) ? [] : [`${set} ${field.value}`],
  )
  return {
    name: 'capabilities',
    declared: isWhole ? 'none, and no way to one' : 'none',
    mechanism: 'capabilities',
    file: `status ${expected.emptyCapabilities.join(', ')}`,
    found: missing ?? { effective: listOrNone(left), holds: left.length === 0 },
  }
}

function compareSeccomp(status: Status, own: Status): Compared {
  const mode = fieldOf(status, 'Seccomp')
  const filters = fieldOf(status, 'Seccomp_filters')
  const daemons = ownNumberOfOne(own, 'Seccomp_filters')
  const compared = {
    name: 'seccomp',
    declared: "mode 2, a filter more than the daemon's",
    mechanism: 'seccomp',
    file: 'status Seccomp, Seccomp_filters',
  } as const
  if (typeof mode === 'string') return { ...compared, found: mode }
  // Linux before 5.9 does not count them.
  if (typeof filters === 'string') {
    const holds = mode.value === '2'
    return { ...compared, found: { effective: `mode ${mode.value}`, holds } }
  }
  const holds = mode.value === '2' && Number(filters.value) > daemons
  return {
    ...compared,
    found: {
      effective: `mode ${mode.value}, ${filters.value} filters (the daemon itself is under ${daemons})`,
      holds,
    },
  }
}

function ownNumberOfOne(own: Status, name: string): number {
  const field = fieldOf(own, name)
  return typeof field === 'string' ? 0 : (parseNumbers(field.value)?.[0] ?? 0)
}
