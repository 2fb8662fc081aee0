import type { Machine } from './machine.ts'
import { cover, device, empty, link, program, scratch, system, type Mount } from './mount.ts'
import { contains } from './paths.ts'
import type { OwnProgram, RunnerRequest } from './plan-runner.ts'
import { temporaryMb } from './temporary-size.ts'
import { ENTRY_INSIDE, NODE_INSIDE, RUNNER_INSIDE } from './runner-paths.ts'

const MIB = 1024 * 1024
/** See `spawnPlan`. */
const ENTRY_DESCRIPTOR = 5

/** What every sandbox has, whatever was granted: the runtime with its libraries, /proc, /dev, /tmp. */
export function systemMounts(
  machine: Machine,
  { limits, policy, program: own, runnerDirectory }: RunnerRequest,
): Mount[] {
  const programs = policy.process ? programMounts(machine) : []
  const needed = own === null ? nodeMounts(machine, runnerDirectory) : ownMounts(own)
  return [
    ...programs,
    ...needed.filter((mount) => !programs.some(({ at }) => contains(at, mount.at))),
    program(ENTRY_INSIDE, ENTRY_DESCRIPTOR),
    ...procMounts(machine, policy.process || (own !== null && machine.uid !== 0)),
    ...DEVICES,
    scratch('/tmp', temporaryMb(limits) * MIB),
  ]
}

function nodeMounts(machine: Machine, runnerDirectory: string): Mount[] {
  const { libraries, libraryFolders, nodePath } = machine
  return [
    ...libraryFolders.map(({ from, at }) => system(from, at)),
    ...(libraryFolders.length > 0 ? [] : libraries.map((library) => system(library))),
    system(nodePath, NODE_INSIDE),
    system(runnerDirectory, RUNNER_INSIDE),
  ]
}

/** A folder comes before what lies in it. */
function ownMounts({ systemPaths, systemLinks }: OwnProgram): Mount[] {
  return [
    ...systemPaths.toSorted().map((path) => system(path)),
    ...systemLinks.map(({ at, to }) => link(at, to)),
  ]
}

/** The host's programs, for who may start them: to be read and no more. */
function programMounts({ programFolders }: Machine): Mount[] {
  return programFolders.map(({ path, linkTo }) => (linkTo === null ? system(path) : link(path, linkTo)))
}

/** Of the runner's own pid namespace; what tells of the host, or sets it, is not in it. */
function procMounts({ hostFiles }: Machine, hidesReaper: boolean): Mount[] {
  return [
    { kind: 'proc', at: '/proc' },
    // A uid that is root on the host could write there.
    empty('/proc/sys'),
    // The reaper has neither filter nor limits, and under an ordinary daemon the uid of everybody else: whoever could
    // write its memory would be rid of both.
    ...(hidesReaper ? [empty('/proc/1')] : []),
    ...hostFiles.map((file) => cover(file)),
  ]
}

/**
 * bubblewrap's own /dev has more: terminals nobody needs, and /dev/zero, whose shared mappings are memory that
 * RLIMIT_DATA does not count. A folder of the root, which is sealed: a file system of its own would be two mounts more.
 */
const DEVICES: readonly Mount[] = [
  device('/dev/null'),
  device('/dev/urandom'),
  // The same since Linux 5.6 (random(4)), and a mount less.
  link('/dev/random', 'urandom'),
  link('/dev/fd', '/proc/self/fd'),
  link('/dev/stdin', '/proc/self/fd/0'),
  link('/dev/stdout', '/proc/self/fd/1'),
  link('/dev/stderr', '/proc/self/fd/2'),
]
