import { contains } from '../paths.ts'
import { listOrNone, type Compared } from './compared.ts'
import type { ExpectedMount } from './expected-mounts.ts'
import { parseMountinfo, type MountLine } from './parse-mountinfo.ts'
import type { Reading } from './read-facts.ts'

/** The daemon's view of its own file system. */
export interface HostMounts {
  readonly lines: readonly MountLine[]
  /** Behind links. */
  realPath(path: string): string
}

const MAX_PROBLEMS = 8

/** Nothing is mounted but what was declared, each from where it was declared, and no more writable than that. */
export function compareMounts(
  expected: readonly ExpectedMount[],
  text: Reading<string>,
  host: HostMounts,
): Compared {
  const declared = `${expected.length} mounts, and what bubblewrap covers in /proc`
  const compared = { name: 'mounts', declared, mechanism: 'files', file: 'mountinfo' } as const
  if (!('value' in text)) return { ...compared, found: text.unreadable }
  const found = parseMountinfo(text.value)
  if (found === null) return { ...compared, found: { effective: 'a table that is none', holds: false } }
  const problems = [...declaredProblems(expected, found, host), ...strangers(expected, found, host)]
  const effective =
    problems.length === 0
      ? `${found.length} mounts, all of them so`
      : listOrNone(problems.slice(0, MAX_PROBLEMS))
  return { ...compared, found: { effective, holds: problems.length === 0 } }
}

function declaredProblems(
  expected: readonly ExpectedMount[],
  found: readonly MountLine[],
  host: HostMounts,
): string[] {
  const places = new Set(expected.map(({ at }) => at))
  return [...places].flatMap((at) => {
    const wanted = expected.filter((mount) => mount.at === at)
    const there = found.filter((line) => line.at === at)
    if (there.length !== wanted.length) {
      return [`${quote(at)} is mounted ${there.length} times instead of ${wanted.length}`]
    }
    return wanted.flatMap((mount, index) => mountProblem(mount, there[index]!, host))
  })
}

function mountProblem(mount: ExpectedMount, line: MountLine, host: HostMounts): string[] {
  const at = quote(mount.at)
  if (mount.readOnly && !line.readOnly) return [`${at} is writable`]
  if (mount.from === null) {
    const isHosts = host.lines.some(({ device }) => device === line.device)
    if (line.type !== mount.type || isHosts) return [`${at} is a ${line.type} of the host`]
    return isBound(mount.sizeBytes, sizeOf(line))
      ? []
      : [`${at} may take ${sizeOf(line) ?? 'any number of'} bytes, not ${mount.sizeBytes}`]
  }
  return comesFrom(mount.from, mount.isCanonical, line, host)
    ? []
    : [`${at} is ${quote(line.root)} instead of ${quote(mount.from)}`]
}

/** The kernel rounds up to whole pages, of at most 64 KiB. */
function isBound(declared: number | null, found: number | null): boolean {
  if (declared === null) return true
  return found !== null && found >= declared && found < declared + 64 * 1024
}

/** The kernel says whole KiB, or nothing where there is no bound. */
function sizeOf({ options }: MountLine): number | null {
  const kibibytes = /(?:^|,)size=(\d+)k(?:,|$)/.exec(options)?.[1]
  return kibibytes === undefined ? null : Number(kibibytes) * 1024
}

/** Libraries are named by their links; what was checked is not, and a link there now leads to what nobody checked. */
function comesFrom(path: string, isCanonical: boolean, line: MountLine, host: HostMounts): boolean {
  return isAt(path, line, host) || (!isCanonical && isAt(host.realPath(path), line, host))
}

/**
 * Whether that is where a path of the host lies. The deepest mount above it holds it, or the last one, where that was
 * mounted over the deeper.
 */
function isAt(path: string, line: MountLine, { lines }: HostMounts): boolean {
  const above = lines.filter(({ at }) => contains(at, path))
  // Not found in a daemon's own table, as behind chroot(2), there is nothing to compare with.
  if (above.length === 0) return true
  const depth = Math.max(...above.map(({ at }) => at.length))
  const holders = [above.findLast(({ at }) => at.length === depth), above.at(-1)]
  return holders.some((holder) => holder?.device === line.device && line.root === placeIn(holder, path))
}

/** As the file system that is mounted there names it. */
function placeIn({ at, root }: MountLine, path: string): string {
  const below = at === '/' ? path : path.slice(at.length)
  return root === '/' ? below || '/' : `${root}${below === '/' ? '' : below}`
}

function strangers(
  expected: readonly ExpectedMount[],
  found: readonly MountLine[],
  host: HostMounts,
): string[] {
  const proc = found.find(({ at, type }) => at === '/proc' && type === 'proc')
  const isCover = (line: MountLine): boolean =>
    contains('/proc', line.at) && line.device === proc?.device && line.readOnly
  return found
    .filter((line) => !expected.some(({ at }) => at === line.at))
    .filter((line) => !isCover(line) && !cameAlong(expected, line, host))
    .map(({ at, root }) => `${quote(at)} was not declared and is ${quote(root)}`)
}

/** What is mounted on the host below a folder that was granted is there, too, and no more writable than the folder. */
function cameAlong(expected: readonly ExpectedMount[], line: MountLine, host: HostMounts): boolean {
  const around = expected
    .filter(({ at }) => contains(at, line.at))
    .toSorted((one, other) => other.at.length - one.at.length)[0]
  if (around === undefined || around.from === null || (around.readOnly && !line.readOnly)) return false
  const onHost = `${around.from}${line.at.slice(around.at.length)}`
  return host.lines.some(
    ({ at, device, root }) => at === onHost && device === line.device && root === line.root,
  )
}

function quote(path: string): string {
  return JSON.stringify(path.slice(0, 200))
}
