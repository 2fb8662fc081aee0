/** A mount that a plan asks for. */
export interface ExpectedMount {
  readonly at: string
  /** The host's path; null for a file system of the sandbox's own. */
  readonly from: string | null
  /** Of one of its own. */
  readonly type: 'tmpfs' | 'proc' | null
  readonly readOnly: boolean
}

interface Draft {
  at: string
  from: string | null
  type: ExpectedMount['type']
  readOnly: boolean
}

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
  const mounts: Draft[] = [{ at: '/', from: null, type: 'tmpfs', readOnly: false }]
  for (const [index, option] of args.entries()) {
    if (option === '--') break
    const [first = '', second = ''] = args.slice(index + 1)
    switch (option) {
      case '--ro-bind':
      case '--bind':
      case '--dev-bind':
        mounts.push({ at: second, from: first, type: null, readOnly: option === '--ro-bind' })
        break
      case '--ro-bind-fd':
      case '--bind-fd': {
        const from = binds[Number(first) - firstDescriptor] ?? ''
        mounts.push({ at: second, from, type: null, readOnly: option === '--ro-bind-fd' })
        break
      }
      case '--tmpfs':
      case '--proc':
        mounts.push({ at: first, from: null, type: option === '--proc' ? 'proc' : 'tmpfs', readOnly: false })
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
