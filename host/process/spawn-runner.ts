import { accessSync, constants } from 'node:fs'
import type { Duplex, Readable } from 'node:stream'
import type { ManifestLimits } from '../../src/contract/manifest.ts'
import { messageOf, PhantomError } from '../../src/contract/phantom-error.ts'
import type { InstanceCgroup } from '../cgroup/instance-cgroup.ts'
import type { EgressDoor } from '../egress/egress-doors.ts'
import type { RunnerPlan } from '../sandbox/plan-runner.ts'
import { findRunnerPid, readSandboxPid } from '../sandbox/sandbox-status.ts'
import { spawnPlan, type SpawnedPlan } from '../sandbox/spawn-plan.ts'
import type { StartedProcess } from '../spawn/started-process.ts'
import { openWayOut } from './open-way-out.ts'

/** A process that was spawned by a plan: its pipes, and when it ended. */
export interface SpawnedRunner {
  /** The private IPC channel, fd 3 inside. */
  readonly channel: Duplex
  readonly stdout: Readable
  readonly stderr: Readable
  /** Settles when it is known which process the sandbox is, or that there is none. */
  readonly located: Promise<void>
  /** The host's pid of the runner itself, behind bubblewrap; null as long as it is not there. */
  findPid(): number | null
  /** The process that all others of the sandbox come from: the first of its pid namespace, or the runner itself. */
  findRootPid(): number | null
  readonly exited: Promise<RunnerEnd>
  signal(signal: Signal): void
  /**
   * When it has answered, and before any code of the plugin's runs: puts all that lives of it into its control group,
   * and opens its way out. Null: all is well.
   */
  seal(limits: ManifestLimits): Promise<PhantomError | null>
}

interface RunnerEnd {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** The kernel ended it for its memory. */
  readonly wasOutOfMemory: boolean
}

type Signal = 'SIGTERM' | 'SIGKILL'

export interface SpawnPowers {
  readonly cgroup: InstanceCgroup | null
  /** Accepts at the socket that the sandbox passes; null where the plan has none. */
  readonly egress: EgressDoor | null
  readonly startTimeoutMs: number
}

/** How long the sandbox gets to fall after its init was killed, before its monitor is killed as well. */
const MONITOR_GRACE_MS = 500

/**
 * Spawns by a plan of `host/sandbox`. The daemon's environment never reaches the child: it has what the plan says.
 * Must be called on the daemon's main thread: the sandbox dies with the thread that spawned it (PDEATHSIG, prctl(2)).
 *
 * @throws PhantomError PLUGIN_START_FAILED when the system refuses a process or a descriptor.
 */
export function spawnRunner(plan: RunnerPlan, powers: SpawnPowers): SpawnedRunner {
  const { cgroup, egress, startTimeoutMs } = powers
  const { process: child, stdout, stderr, channel, status } = spawned(plan)
  const monitorPid = child.pid
  // At once, so that hardly anything that it starts is outside; `seal` fetches what is.
  attempt(() => cgroup?.adopt(monitorPid))
  let sandboxPid = status === null ? child.pid : null
  const located =
    status === null
      ? Promise.resolve()
      : readSandboxPid(status).then((pid) => {
          sandboxPid = pid
        })
  const findPid = (): number | null =>
    status === null || sandboxPid === null ? sandboxPid : findRunnerPid(sandboxPid, plan)
  const exited = child.exited.then((end): RunnerEnd => {
    const wasOutOfMemory = cgroup?.wasOutOfMemory ?? false
    void cgroup?.remove()
    return { ...end, wasOutOfMemory }
  })
  return {
    channel,
    stdout,
    stderr,
    located,
    findPid,
    findRootPid: () => sandboxPid,
    exited,
    signal: (signal) => {
      if (signal === 'SIGKILL') attempt(() => cgroup?.kill())
      signalRunner(child, { sandbox: sandboxPid, runner: findPid() }, signal)
    },
    seal: async (limits) => {
      const error = attempt(() => cgroup?.seal(monitorPid, limits))
      return error === null ? await openWayOut(child, egress, startTimeoutMs) : sealError(error)
    },
  }
}

function spawned(plan: RunnerPlan): SpawnedPlan {
  try {
    return spawnPlan(plan)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'NO_PROCESS') throw cause
    if (!isProgram(plan.file)) throw lostProgram(plan.file)
    throw new PhantomError(
      'PLUGIN_START_FAILED',
      `Cannot start "${plan.file}": the system gave no process. Look at the limits on processes and open files (ulimit -a)`,
      { details: { shortage: 'NO_PROCESS' }, cause },
    )
  }
}

/** What went wrong; a group that is gone already is one with its processes. */
function attempt(run: () => void): unknown {
  try {
    run()
    return null
  } catch (error) {
    return error
  }
}

function sealError(cause: unknown): PhantomError {
  return new PhantomError(
    'SANDBOX_UNAVAILABLE',
    `Cannot hold a plugin in its control group: ${messageOf(cause)}. Look at Delegate= of the daemon's unit`,
    { cause },
  )
}

/**
 * Behind bubblewrap, SIGKILL goes to the first process of the pid namespace: when it dies the kernel ends all that
 * lived there, and the monitor, its parent, which has not reaped it while it runs, ends with it. The pid can therefore
 * not be another process's.
 */
function signalRunner(
  child: StartedProcess,
  pids: { sandbox: number | null; runner: number | null },
  signal: Signal,
): void {
  if (child.hasExited) return
  const target = signal === 'SIGKILL' ? pids.sandbox : pids.runner
  // A monitor dies of SIGTERM and takes its sandbox along by force: only SIGKILL means that.
  if (target === null && signal === 'SIGTERM') return
  if (target === null || target === child.pid) {
    child.kill(signal)
    return
  }
  try {
    process.kill(target, signal)
  } catch {
    // ESRCH: it is gone already. EPERM: it is another user's, so the monitor has to do it.
  }
  if (signal === 'SIGKILL') {
    const late = setTimeout(() => child.kill('SIGKILL'), MONITOR_GRACE_MS)
    void child.exited.then(() => clearTimeout(late))
  }
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** It was there when the daemon tried what this machine holds a plugin with. */
function lostProgram(file: string): PhantomError {
  return new PhantomError(
    'SANDBOX_UNAVAILABLE',
    `Cannot start "${file}": it is gone, or may not be run any more, since the daemon began. Put it back, or restart ` +
      'the daemon, which then looks anew for what holds plugins here',
    { details: { file } },
  )
}
