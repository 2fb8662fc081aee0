import fs from 'node:fs'

/** Processes whose command line names a text; the arena's folder stands in that of everything it starts. */
export function processesNaming(text: string): number[] {
  const pids = fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return pids.map(Number).filter((pid) => pid !== process.pid && isNaming(pid, text))
}

export function isAlive(pid: number): boolean {
  return !['', 'Z', 'X'].includes(stateOf(pid))
}

function isNaming(pid: number, text: string): boolean {
  return readIfThere(`/proc/${pid}/cmdline`).includes(text) && isAlive(pid)
}

function stateOf(pid: number): string {
  const stat = readIfThere(`/proc/${pid}/stat`)
  return stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3)
}

/** Empty for what has just ended, and for what another user owns. */
function readIfThere(file: string): string {
  try {
    return fs.readFileSync(file, 'latin1')
  } catch {
    return ''
  }
}
