import fs from 'node:fs'

import { PhantomError } from '../../src/contract/phantom-error.ts'

/** Linux, all architectures Node runs on; not among Node's constants. */
const O_PATH = 0o10000000

/**
 * Opens what is to be mounted, so that the mount is of this very file or folder, whatever becomes of its path until
 * bubblewrap runs. That it is what the policy was made for is asked of the kernel: where it is now must be where the
 * canonical path says, and not behind a link that has been put there since.
 *
 * @throws PhantomError PLUGIN_START_FAILED when something else stands there now
 */
export function openBind(canonical: string): number {
  const descriptor = open(canonical)
  try {
    const stat = fs.fstatSync(descriptor)
    const place = fs.readlinkSync(`/proc/self/fd/${descriptor}`)
    if (place !== canonical) throw swapped(canonical, `it leads to "${place}" now`)
    if (!stat.isDirectory() && !stat.isFile()) throw swapped(canonical, 'it is no file or folder any more')
    return descriptor
  } catch (error) {
    fs.closeSync(descriptor)
    throw error
  }
}

function open(canonical: string): number {
  try {
    return fs.openSync(canonical, O_PATH | fs.constants.O_NOFOLLOW)
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    // Its own sentence for what a machine lacks has who starts the process.
    if (code === 'EMFILE' || code === 'ENFILE' || code === 'ENOMEM') throw error
    throw swapped(canonical, `it can't be opened (${code})`)
  }
}

function swapped(canonical: string, what: string): PhantomError {
  return new PhantomError(
    'PLUGIN_START_FAILED',
    `Cannot mount "${canonical}": since it was checked ${what}. See who changes it, then call again`,
    { details: { path: canonical } },
  )
}
