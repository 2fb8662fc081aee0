import fs from 'node:fs'

import { describeCgroups } from '../cgroup/cgroup-tree.ts'
import { messageOf } from '../../src/contract/phantom-error.ts'
import type { DoctorCheck } from '../../src/contract/doctor-report.ts'
import type { Machine } from './machine.ts'
import { measureMemoryBase } from './memory-base.ts'
import { CHOOSE_RUNTIME, closedToOthers, INSTALL_BUBBLEWRAP, INSTALL_UTIL_LINUX } from './remedies.ts'
import { runTrial, type TrialResult } from './trial.ts'

const MIB = 1024 * 1024
/** Small, so that the trial is quick; any other limit holds in the same way. */
const TRIED_MEMORY_MB = 64

/** What this machine can hold a plugin to, by what, and how to mend what it can't. Each line is tried, not assumed. */
export async function doctorChecks(machine: Machine): Promise<DoctorCheck[]> {
  const idle = await observeRunner(machine)
  return [
    await runtimeCheck(machine),
    ...(typeof idle === 'string' ? [runnerCheck(idle)] : []),
    bubblewrapCheck(machine),
    namespacesCheck(machine, idle),
    ...toolChecks(machine),
    userCheck(machine, idle),
    privilegesCheck(idle),
    systemCallsCheck(machine, idle),
    await memoryCheck(machine, idle),
    permissionModelCheck(idle),
    cgroupCheck(),
    processorCheck(machine),
  ]
}

/** What the kernel and Node say of a runner that was started as a plugin without permissions is. */
interface Observation {
  readonly result: TrialResult
  readonly status: string
  readonly namespaces: readonly string[]
}

const DELEGATE =
  'Start the machine with systemd.unified_cgroup_hierarchy=1, and the daemon as a unit with Delegate=cpu memory pids'
const UPDATE_BUBBLEWRAP = 'Update it to 0.10, or to 0.8.0-2+deb12u1 of Debian 12'
const SEE_CGROUP = 'See "cgroup v2"'
const SEE_BUBBLEWRAP = 'See "bubblewrap"'
const MEND_START = 'Mend what keeps a runner from starting'
const REPORTING_PROGRAM = `
const channel = new (require('node:net').Socket)({ fd: 3 })
let denial = 'nothing'
try { require('node:fs').readdirSync('/') } catch (error) { denial = error.code }
process.stdout.write(denial)
channel.on('error', () => process.exit(0)).on('end', () => process.exit(0)).resume()
channel.write('idle')
`
const NAMESPACES = ['mnt', 'pid', 'net', 'ipc', 'uts', 'cgroup', 'user'] as const

async function observeRunner(machine: Machine): Promise<Observation | string> {
  let seen: Omit<Observation, 'result'> | null = null
  try {
    const result = await runTrial(machine, {
      source: REPORTING_PROGRAM,
      observe: (pid) => (seen = readFacts(pid)),
    })
    if (seen !== null) return { ...(seen as Omit<Observation, 'result'>), result }
    return result.stderr.trim() || `it ended with code ${result.code}`
  } catch (error) {
    return messageOf(error)
  }
}

function readFacts(pid: number): Omit<Observation, 'result'> {
  const differs = (name: string): boolean => {
    // Whose namespaces may not be looked at are another user's, in a user namespace of its own.
    const read = (of: string | number): string => fs.readlinkSync(`/proc/${of}/ns/${name}`)
    return read(pid) !== read('self')
  }
  return { status: fs.readFileSync(`/proc/${pid}/status`, 'utf8'), namespaces: NAMESPACES.filter(differs) }
}

/** In tier `process` a root daemon's plugins run it where it lies, as other users. */
async function runtimeCheck({ nodePath, tier, uid }: Machine): Promise<DoctorCheck> {
  const closed = tier === 'process' && uid === 0 ? await closedToOthers(nodePath) : null
  return {
    name: 'runtime',
    ok: closed === null,
    found: `${nodePath}${closed === null ? '' : `: other users, as plugins are, may not go through "${closed}"`}`,
    mechanism: null,
    remedy: closed === null ? null : CHOOSE_RUNTIME,
  }
}

function bubblewrapCheck({ bwrapPath, hasBindFd }: Machine): DoctorCheck {
  const mounts = hasBindFd
    ? 'mounts what was opened and checked'
    : 'mounts by path; a link that took the place of what was checked is found when the mounts are read back, and refused'
  return {
    name: 'bubblewrap',
    ok: bwrapPath !== null,
    found: bwrapPath === null ? 'not installed' : `${bwrapPath}, ${mounts}`,
    mechanism: null,
    remedy: bwrapPath === null ? INSTALL_BUBBLEWRAP : hasBindFd ? null : UPDATE_BUBBLEWRAP,
  }
}

function namespacesCheck(machine: Machine, idle: Observation | string): DoctorCheck {
  const name = 'namespaces'
  if (machine.tier === 'process') {
    const found = 'none: isolation is of tier process'
    return { name, ok: false, found, mechanism: null, remedy: whyNoNamespace(machine) }
  }
  if (typeof idle === 'string') return notKnown(name)
  const needed = NAMESPACES.filter((kind) => kind !== 'user' && kind !== 'cgroup')
  const missing = needed.filter((kind) => !idle.namespaces.includes(kind))
  return {
    name,
    ok: missing.length === 0,
    found: `a runner has its own ${idle.namespaces.join(', ')}`,
    mechanism: machine.uid === 0 ? 'bubblewrap, mounts by root' : 'bubblewrap, user namespace',
    remedy:
      missing.length === 0
        ? null
        : `The kernel lacks namespaces of kind ${missing.join(', ')}: use one that has them`,
  }
}

/** What tier `process` is held by; a sandbox has a program of its own for it. */
function toolChecks({ tier, setprivPath, prlimitPath }: Machine): DoctorCheck[] {
  if (tier === 'namespace') return []
  return [
    toolCheck('setpriv', setprivPath, 'a user id of its own for each plugin, an end with the daemon'),
    toolCheck('prlimit', prlimitPath, 'limits on memory, files and processes'),
  ]
}

function toolCheck(name: string, found: string | null, gives: string): DoctorCheck {
  return {
    name,
    ok: found !== null,
    found: found ?? `not installed, so there is not: ${gives}`,
    mechanism: null,
    remedy: found === null ? INSTALL_UTIL_LINUX : null,
  }
}

function userCheck({ uid: daemonUid, tier }: Machine, idle: Observation | string): DoctorCheck {
  const name = 'user id'
  if (typeof idle === 'string') return notKnown(name)
  const uid = Number(/^Uid:\s+(\d+)/m.exec(idle.status)?.[1])
  if (daemonUid === 0) {
    const found = `the daemon is root, a runner got uid ${uid}`
    return { name, ok: uid !== 0, found, mechanism: 'a uid for each instance', remedy: null }
  }
  const shared = tier === 'process'
  return {
    name,
    ok: !shared,
    found: `a runner has the daemon's uid ${uid}${shared ? '' : ', and sees no process but its own'}`,
    mechanism: shared ? null : 'user and pid namespace',
    remedy: shared ? 'Only namespaces keep processes of one user apart: see "namespaces"' : null,
  }
}

function privilegesCheck(idle: Observation | string): DoctorCheck {
  const name = 'privileges'
  if (typeof idle === 'string') return notKnown(name)
  const isLocked = /^NoNewPrivs:\s+1$/m.test(idle.status)
  const hasNone = /^CapEff:\s+0+$/m.test(idle.status) && /^CapPrm:\s+0+$/m.test(idle.status)
  return {
    name,
    ok: isLocked && hasNone,
    found: `${hasNone ? 'no capability' : 'capabilities left'}, no_new_privs ${isLocked ? 'set' : 'not set'}`,
    mechanism: isLocked ? 'no_new_privs' : null,
    remedy: isLocked ? null : INSTALL_UTIL_LINUX,
  }
}

/** Once is enough for what a line of its own says. */
function whyNoNamespace({ bwrapPath, reasonNoNamespace }: Machine): string | null {
  return bwrapPath === null && process.platform === 'linux' ? SEE_BUBBLEWRAP : reasonNoNamespace
}

function systemCallsCheck(machine: Machine, idle: Observation | string): DoctorCheck {
  const { tier } = machine
  const name = 'system calls'
  if (typeof idle === 'string') return notKnown(name)
  const isFiltered = /^Seccomp:\s+2$/m.test(idle.status)
  return {
    name,
    ok: isFiltered,
    found: isFiltered ? 'a runner has a filter' : 'no filter: every call of the kernel can be made',
    mechanism: isFiltered ? 'seccomp allowlist' : null,
    remedy: isFiltered
      ? null
      : tier === 'process'
        ? whyNoNamespace(machine)
        : 'Use a kernel with seccomp filters (CONFIG_SECCOMP_FILTER)',
  }
}

/**
 * Steps that do not fill the allowance: Node aborts when it finds no room for its own next small thing, such as a
 * stream for stdout (hence `writeSync`).
 */
const STEP_MB = 24
/** Where nothing limits it, the trial must not take the machine's memory. */
const MAX_STEPS = 6
const HOARDING_PROGRAM = `
const { writeSync } = require('node:fs')
const kept = []
try { while (kept.length < ${MAX_STEPS}) kept.push(Buffer.alloc(${STEP_MB} * 1048576, 1)) } catch {}
writeSync(1, String(kept.length))
`

async function memoryCheck(machine: Machine, idle: Observation | string): Promise<DoctorCheck> {
  const name = 'memory limit'
  if (machine.tier === 'process' && machine.prlimitPath === null) {
    return { name, ok: false, found: 'nothing holds it', mechanism: null, remedy: INSTALL_UTIL_LINUX }
  }
  if (typeof idle === 'string') return notKnown(name)
  try {
    const baseDataBytes = await measureMemoryBase(machine)
    const limits = { baseDataBytes, maxMemoryMb: TRIED_MEMORY_MB }
    const { code, stdout } = await runTrial(machine, { source: HOARDING_PROGRAM, ...limits })
    const reachedMb = Number.parseInt(stdout, 10) * STEP_MB
    const held = code === 0 && reachedMb <= TRIED_MEMORY_MB
    const base = `${Math.round(baseDataBytes / MIB)} MiB of data segment when idle`
    return {
      name,
      ok: held,
      found: held
        ? `of an allowance of ${TRIED_MEMORY_MB} MiB ${reachedMb} could be taken, ${STEP_MB} more could not; ${base}`
        : `did not hold (code ${code})`,
      mechanism: held ? 'RLIMIT_DATA' : null,
      remedy: held ? null : 'RLIMIT_DATA counts private memory from Linux 4.7 on: use a newer kernel',
    }
  } catch (error) {
    const found = messageOf(error)
    return { name, ok: false, found, mechanism: null, remedy: MEND_START }
  }
}

function permissionModelCheck(idle: Observation | string): DoctorCheck {
  const name = 'node permission model'
  if (typeof idle === 'string') return notKnown(name)
  const ok = idle.result.stdout === 'ERR_ACCESS_DENIED'
  return {
    name,
    ok,
    found: ok ? 'refused to read a folder that was not granted' : `answered "${idle.result.stdout}"`,
    mechanism: ok ? 'node --permission' : null,
    remedy: ok ? null : 'Run the daemon on Node 26 or newer',
  }
}

function cgroupCheck(): DoctorCheck {
  const reason = describeCgroups()
  return {
    name: 'cgroup v2',
    // Nothing fails without it: rlimits and the host hold the limits.
    ok: true,
    found:
      reason === null ? 'delegated: a group for each process of a plugin' : `not delegated here: ${reason}`,
    mechanism: reason === null ? 'memory.max, pids.max, cpu.max, cgroup.kill' : null,
    remedy: reason === null ? null : DELEGATE,
  }
}

/** `max_cpu_percent`: whose plugins ask for none lack nothing. */
function processorCheck({ tier }: Machine): DoctorCheck {
  const name = 'processor limit'
  if (describeCgroups() === null)
    return { name, ok: true, found: 'held for every plugin', mechanism: 'cpu.max', remedy: null }
  const without = 'not held on this machine: no delegated cgroup v2'
  if (tier === 'process')
    return { name, ok: false, found: `max_cpu_percent is ${without}`, mechanism: null, remedy: SEE_CGROUP }
  const found =
    'max_cpu_percent holds JavaScript and WebAssembly; for native plugins, and those with the permission "process", ' +
    `runtime.addons, sqlite, inspector or ffi, it is ${without}`
  return { name, ok: true, found, mechanism: 'SIGSTOP by the daemon', remedy: SEE_CGROUP }
}

/** Why none starts stands there once: what is not known for it refers to it. */
function runnerCheck(reason: string): DoctorCheck {
  const found = `none can be started: ${reason}`
  return { name: 'runner', ok: false, found, mechanism: null, remedy: MEND_START }
}

function notKnown(name: string): DoctorCheck {
  const found = 'not known, since no runner can be started'
  return { name, ok: false, found, mechanism: null, remedy: 'See "runner"' }
}
