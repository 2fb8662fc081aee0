import { readFileSync } from 'node:fs'

/** A plugin that forks without end must not cost the daemon its loop. */
const MAX_PROCESSES = 4096

/**
 * A process and all that it started and that still lives, by the kernel's own list of children (proc_pid_children(5)),
 * parents before children. Where `root` is the first process of a pid namespace nothing escapes: orphans become its
 * children. The children of one are asked for when the next one is: who walks slowly finds those of that moment.
 */
export function* walkBelow(root: number): Generator<number, void> {
  const found = [root]
  for (let at = 0; at < found.length && at < MAX_PROCESSES; at += 1) {
    yield found[at]!
    if (found.length < MAX_PROCESSES) found.push(...childrenOf(found[at]!))
  }
}

/** The same, at once. */
export function processesBelow(root: number): number[] {
  return [...walkBelow(root)]
}

function childrenOf(pid: number): number[] {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1')
    return children.split(' ').flatMap((child) => (child === '' ? [] : [Number(child)]))
  } catch {
    // ENOENT, ESRCH: it is gone, and its children are another's.
    return []
  }
}
