import fs from 'node:fs'

/** Linux, all architectures Node runs on. */
const O_CLOEXEC = 0o2000000

/**
 * Closes what the daemon's starter left open, so that no runner inherits it. Node marks only the low, contiguous
 * descriptors close-on-exec; one with a high number (a shell's, a service manager's) was seen inside a sandbox.
 * Call it once, first thing in the daemon. `keep`: descriptors the daemon itself reads, such as a listening socket.
 */
export function closeInheritedDescriptors(keep: readonly number[] = []): number[] {
  const closed: number[] = []
  for (const name of listDescriptors()) {
    const descriptor = Number(name)
    if (descriptor < 3 || keep.includes(descriptor) || isCloseOnExec(descriptor) !== false) continue
    fs.closeSync(descriptor)
    closed.push(descriptor)
  }
  return closed
}

function listDescriptors(): string[] {
  try {
    return fs.readdirSync('/proc/self/fd')
  } catch {
    // No /proc: not Linux, or a container without it. There is no list to work from.
    return []
  }
}

/** null for a descriptor that is gone: the one that listed the folder. */
function isCloseOnExec(descriptor: number): boolean | null {
  try {
    const flags = /^flags:\s*([0-7]+)/m.exec(fs.readFileSync(`/proc/self/fdinfo/${descriptor}`, 'utf8'))?.[1]
    return flags === undefined ? null : (Number.parseInt(flags, 8) & O_CLOEXEC) !== 0
  } catch {
    return null
  }
}
