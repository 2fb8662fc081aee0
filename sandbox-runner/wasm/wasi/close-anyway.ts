import { closeSync } from 'node:fs'

/** At an instance's end: what the disk did not take (EIO, EDQUOT) has nobody to go to, and must keep no other file open. */
export function closeAnyway(fd: number): void {
  try {
    closeSync(fd)
  } catch {
    // The kernel has let go of the number all the same.
  }
}
