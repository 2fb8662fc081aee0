import { messageOf, PhantomError } from '../../src/contract/phantom-error.ts'

/** The kernel's limits that a watch can meet; the words are those of `sysctl`. */
export type WatchLimit = 'fs.inotify.max_user_watches' | 'fs.inotify.max_user_instances'

/**
 * Which limit an error of a watch means, by inotify(7): ENOSPC from `inotify_add_watch` is the number of watches,
 * EMFILE from `inotify_init1` that of instances (Node has one per thread), or of the process's open files.
 */
export function watchLimitOf(error: unknown): WatchLimit | null {
  const code = errorCodeOf(error)
  if (code === 'ENOSPC') return 'fs.inotify.max_user_watches'
  if (code === 'EMFILE' || code === 'ENFILE') return 'fs.inotify.max_user_instances'
  return null
}

/** True for an error that says that there is nothing to watch. */
export function isGone(error: unknown): boolean {
  const code = errorCodeOf(error)
  return code === 'ENOENT' || code === 'ENOTDIR'
}

export function watchProblem(directory: string, error: unknown, pollIntervalMs: number): PhantomError {
  const limit = watchLimitOf(error)
  const details = { directory, code: errorCodeOf(error), ...(limit === null ? {} : { limit }) }
  const cannot = `Cannot watch "${directory}"`
  if (limit === null) {
    const found = messageOf(error)
    const next = "Changes in it are seen late or not at all. Let the daemon's user read it, or remove it"
    return new PhantomError('INTERNAL_ERROR', `${cannot}: ${found}. ${next}`, { details, cause: error })
  }
  return new PhantomError(
    'LIMIT_EXCEEDED',
    `${cannot}: ${LIMIT_FOUND[limit]}. ${pollNote(pollIntervalMs)}. ${LIMIT_NEXT[limit]}`,
    {
      details,
      cause: error,
    },
  )
}

const LIMIT_FOUND = {
  'fs.inotify.max_user_watches': 'the user has as many watches as fs.inotify.max_user_watches allows',
  'fs.inotify.max_user_instances':
    'the user has as many inotify instances as fs.inotify.max_user_instances allows, or this process as many ' +
    'open files as it may',
} as const satisfies Record<WatchLimit, string>

const LIMIT_NEXT = {
  'fs.inotify.max_user_watches':
    'Raise it, for example by "sysctl fs.inotify.max_user_watches=524288" (and in /etc/sysctl.d to keep it), and ' +
    'restart the daemon',
  'fs.inotify.max_user_instances':
    'Raise it, for example by "sysctl fs.inotify.max_user_instances=512" (and look at fs.inotify.max_user_watches ' +
    'and "ulimit -n", too), and restart the daemon',
} as const satisfies Record<WatchLimit, string>

function pollNote(pollIntervalMs: number): string {
  return `This folder, and every further one that gets no watch, is polled every ${pollIntervalMs} ms`
}

function errorCodeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
}
