import type { ClosingMount } from '../entry/mount-steps.ts'

/** A mount that a plan asks for. */
export interface ExpectedMount {
  readonly at: string
  /** The host's path; null for a file system of the sandbox's own. */
  readonly from: string | null
  /** Whether `from` was followed to its end when it was checked: a link that stands there now was not there then. */
  readonly isCanonical: boolean
  /** Of one of its own. */
  readonly type: 'tmpfs' | 'proc' | null
  readonly readOnly: boolean
  /** Of one in memory that has a bound; null for any other. */
  readonly sizeBytes: number | null
}

type Draft = { -readonly [K in keyof ExpectedMount]: ExpectedMount[K] }

/** What a plan says of its mounts beside bubblewrap's arguments. */
export interface MountSources {
  /** What the descriptors from `firstDescriptor` on are open for. */
  readonly binds: readonly string[]
  readonly firstDescriptor: number
  /** What was checked like those, and is mounted by its path. */
  readonly named: readonly string[]
  /** What the entry program mounts then. */
  readonly closing: readonly ClosingMount[]
}

/**
 * What bubblewrap is told to mount, in its order: the command line is the declaration. Paths are absolute, so that
 * no value is taken for an option.
 */
export function mountsIn(
  args: readonly string[],
  { binds, firstDescriptor, named, closing }: MountSources,
): readonly ExpectedMount[] {
  const mounts: Draft[] = [{ ...EMPTY, at: '/', type: 'tmpfs' }]
  let sizeBytes: number | null = null
  for (const [index, option] of args.entries()) {
    if (option === '--') break
    const [first = '', second = ''] = args.slice(index + 1, index + 3)
    switch (option) {
      case '--ro-bind':
      case '--bind':
      case '--dev-bind':
        mounts.push({
          ...EMPTY,
          at: second,
          from: first,
          isCanonical: named.includes(first),
          readOnly: option === '--ro-bind',
        })
        break
      case '--ro-bind-fd':
      case '--bind-fd': {
        const from = binds[Number(first) - firstDescriptor] ?? ''
        mounts.push({ ...EMPTY, at: second, from, isCanonical: true, readOnly: option === '--ro-bind-fd' })
        break
      }
      case '--size':
        sizeBytes = Number(first)
        break
      case '--tmpfs':
        mounts.push({ ...EMPTY, at: first, type: 'tmpfs', sizeBytes })
        sizeBytes = null
        break
      case '--proc':
        mounts.push({ ...EMPTY, at: first, type: 'proc' })
        break
      case '--remount-ro':
        seal(mounts, first)
        break
      default:
        break
    }
  }
  for (const { kind, at } of closing) {
    if (kind === 'seal') seal(mounts, at)
    else if (kind === 'cover') mounts.push({ ...EMPTY, at, from: '/dev/null', readOnly: true })
    else mounts.push({ ...EMPTY, at, type: 'tmpfs', readOnly: true })
  }
  return mounts
}

function seal(mounts: readonly Draft[], path: string): void {
  const sealed = mounts.findLast(({ at }) => at === path)
  if (sealed !== undefined) sealed.readOnly = true
}

const EMPTY = { from: null, isCanonical: false, type: null, readOnly: false, sizeBytes: null } as const
