/** A mount that a plan asks for. */
export interface ExpectedMount {
  readonly at: string
  /** The host's path; null for a file system of the sandbox's own. */
  readonly from: string | null
  /** Of one of its own. */
  readonly type: 'tmpfs' | 'proc' | null
  readonly readOnly: boolean
  /** Of one in memory that has a bound; null for any other. */
  readonly sizeBytes: number | null
}

type Draft = { -readonly [K in keyof ExpectedMount]: ExpectedMount[K] }

/**
 * What bubblewrap is told to mount, in its order: the command line is the declaration. Paths are absolute, so that
 * no value is taken for an option.
 *
 * @param binds what the descriptors from `firstDescriptor` on are open for
 */
export function mountsIn(
  args: readonly string[],
  binds: readonly string[],
  firstDescriptor: number,
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
        mounts.push({ ...EMPTY, at: second, from: first, readOnly: option === '--ro-bind' })
        break
      case '--ro-bind-fd':
      case '--bind-fd': {
        const from = binds[Number(first) - firstDescriptor] ?? ''
        mounts.push({ ...EMPTY, at: second, from, readOnly: option === '--ro-bind-fd' })
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
      case '--remount-ro': {
        const remounted = mounts.findLast(({ at }) => at === first)
        if (remounted !== undefined) remounted.readOnly = true
        break
      }
      default:
        break
    }
  }
  return mounts
}

const EMPTY = { from: null, type: null, readOnly: false, sizeBytes: null } as const
