import fs from 'node:fs'
import path from 'node:path'

const KIB = 1024

/** Highest resident memory of a process so far (`VmHWM`, proc_pid_status(5)). */
export function peakBytes(pid: number): number {
  return sumOfFields(`/proc/${pid}/status`, /^VmHWM:\s+(\d+) kB/gm)
}

/** Resident memory of a process now. */
export function residentBytes(pid: number): number {
  return sumOfFields(`/proc/${pid}/status`, /^VmRSS:\s+(\d+) kB/gm)
}

/** Pages that no other process maps: what one more process really costs (`smaps_rollup`, proc(5)). */
export function privateBytes(pid: number): number {
  return sumOfFields(`/proc/${pid}/smaps_rollup`, /^Private_\w+:\s+(\d+) kB/gm)
}

/** Guards against measuring a wrapper (bwrap, setpriv) in place of the Node process below it. */
export function assertIsNode(pid: number): void {
  const executable = fs.readlinkSync(`/proc/${pid}/exe`)
  if (path.basename(executable) !== 'node') {
    throw new Error(`Cannot measure process ${pid}: it runs "${executable}", not node`)
  }
}

function sumOfFields(file: string, pattern: RegExp): number {
  const matches = [...fs.readFileSync(file, 'utf8').matchAll(pattern)]
  if (matches.length === 0) throw new Error(`Cannot read "${file}": no line matches ${pattern.source}`)
  return matches.reduce((sum, match) => sum + Number(match[1]) * KIB, 0)
}
