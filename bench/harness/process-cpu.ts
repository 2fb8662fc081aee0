import fs from 'node:fs'

const NS_PER_MS = 1e6

/** A process and all that descends from it, by the parents that /proc tells now. */
export function processTree(root: number): number[] {
  const children = childrenByParent()
  const found = [root]
  for (const pid of found) found.push(...(children.get(pid) ?? []))
  return found
}

/**
 * Processor time of all threads of these processes. By `schedstat`, in nanoseconds: `stat` counts whole ticks of
 * 10 ms, more than an idle process takes in a minute. What a thread had used is gone with it, a process likewise.
 *
 * @throws Error when one of the processes is gone
 */
export function cpuMs(pids: readonly number[]): number {
  let sumNs = 0
  for (const pid of pids) {
    for (const thread of fs.readdirSync(`/proc/${pid}/task`)) sumNs += threadNs(`/proc/${pid}/task/${thread}`)
  }
  return sumNs / NS_PER_MS
}

function threadNs(folder: string): number {
  try {
    return Number(fs.readFileSync(`${folder}/schedstat`, 'utf8').split(' ', 1)[0])
  } catch {
    // It ended between the listing and the look.
    return 0
  }
}

function childrenByParent(): Map<number, number[]> {
  const children = new Map<number, number[]>()
  for (const name of fs.readdirSync('/proc')) {
    const parent = /^\d+$/.test(name) ? parentOf(name) : null
    if (parent !== null) children.set(parent, [...(children.get(parent) ?? []), Number(name)])
  }
  return children
}

/** The command's name may hold brackets and blanks: fields count from behind its last bracket (proc_pid_stat(5)). */
function parentOf(pid: string): number | null {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8')
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ', 2)[1])
  } catch {
    return null
  }
}
