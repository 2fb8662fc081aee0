import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'

import { seccompProgram, type SeccompRequest } from './seccomp-program.ts'

const SWITCH = [false, true] as const
/** By variant, files that have no name any more: nobody can change what a filter says. */
const files = new Map<string, number>()

/**
 * A descriptor to read the filter from, for the caller to close. A new one each time: bubblewrap reads to the end, and
 * the place where a reader stands is shared by all copies of a descriptor.
 *
 * @throws the file system's error where the temporary folder takes no file, or /proc is not mounted
 */
export function openFilter(request: SeccompRequest): number {
  if (files.size === 0) {
    // All of them at once: a later start must not depend on whether a disk is full by then.
    for (const process of SWITCH)
      for (const network of SWITCH) makeFile({ arch: request.arch, process, network })
  }
  const file = files.get(keyOf(request)) ?? makeFile(request)
  return fs.openSync(`/proc/self/fd/${file}`, 'r')
}

function makeFile(request: SeccompRequest): number {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-filter-'))
  try {
    const file = fs.openSync(path.join(folder, 'filter'), 'wx+', 0o600)
    fs.writeSync(file, seccompProgram(request))
    files.set(keyOf(request), file)
    return file
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
}

function keyOf({ arch, process, network }: SeccompRequest): string {
  return `${arch} ${process} ${network}`
}
