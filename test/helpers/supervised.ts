import fs from 'node:fs'
import type { Incident, IncidentKind } from '../../src/contract/generations.ts'
import type { InstanceInfo } from '../../src/contract/plugin-info.ts'
import { until, type TestDaemon, type World } from './daemon.ts'

/** Adds sections to the manifest of a plugin that is there. */
export function addSections(world: World, id: string, sections: string): void {
  fs.appendFileSync(world.path('plugins', id, 'plugin.toml'), `\n${sections}\n`)
}

/** Healthy but for the code that is given, and for what the manifest adds. */
export function addCode(world: World, id: string, code: string, sections = ''): void {
  world.addManifest(id, sections)
  world.write(`plugins/${id}/index.js`, code)
}

export async function instanceOf(
  daemon: TestDaemon,
  id: string,
  role: InstanceInfo['role'] = 'active',
): Promise<InstanceInfo | null> {
  return (await daemon.info(id)).instances.find((one) => one.role === role && one.pid !== null) ?? null
}

/** The process that serves, once one does. */
export async function readyPid(daemon: TestDaemon, id: string, other = 0): Promise<number> {
  let pid = 0
  await until(
    async () => {
      const active = await instanceOf(daemon, id)
      pid = active?.state === 'ready' ? (active.pid ?? 0) : 0
      return pid > 0 && pid !== other
    },
    `a process of "${id}" that is ready${other === 0 ? '' : ` and not ${other}`}`,
  )
  return pid
}

/** The loaded standby, once there is one. */
export async function standbyPid(daemon: TestDaemon, id: string, other = 0): Promise<number> {
  let pid = 0
  await until(async () => {
    pid = (await instanceOf(daemon, id, 'standby'))?.pid ?? 0
    return pid > 0 && pid !== other
  }, `a standby of "${id}"`)
  return pid
}

export async function withoutProcess(daemon: TestDaemon, id: string): Promise<void> {
  await until(
    async () => (await daemon.info(id)).instances.length === 0,
    `the end of all processes of "${id}"`,
  )
}

/** The newest incident of that kind, once it is written. */
export async function incidentOf(
  daemon: TestDaemon,
  id: string,
  kind: IncidentKind,
  count = 1,
): Promise<Incident> {
  let found: Incident[] = []
  await until(async () => {
    found = (await daemon.system.get_incidents(id, 1000)).filter((incident) => incident.kind === kind)
    return found.length >= count
  }, `incident ${count} of kind "${kind}" of "${id}"`)
  return found[0]!
}

/** How long something took, in milliseconds, with what came of it. */
export async function timed<Value>(work: Promise<Value>): Promise<{ value: Value; ms: number }> {
  const startedAtMs = performance.now()
  const value = await work
  return { value, ms: performance.now() - startedAtMs }
}
