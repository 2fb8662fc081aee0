/** A pinned process: a client of a daemon with many plugins that run and have nothing to do. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { PluginSystemApi } from '@phantom-ml/core'
import { cpuMs, processTree } from '../harness/process-cpu.ts'
import type { IdleQuestions } from '../harness/questions.ts'
import { serveQuestions } from '../harness/serve-questions.ts'
import { copiesOf } from './install-plugins.ts'
import { openSystem } from './open-system.ts'

let system: PluginSystemApi

serveQuestions<IdleQuestions>({
  start: async ({ plugins }) => {
    const wanted = copiesOf('echo', plugins)
    system = await openSystem(process.cwd(), { plugins: wanted })
    for (const id of Object.keys(wanted)) await system.execute_plugin(id, 'echo', null)
    return null
  },
  occupy: async () => {
    // They end with the system.
    for (const { id } of await runningEchoes()) system.execute_plugin(id, 'hang').catch(() => undefined)
    while ((await system.get_status()).calls.in_flight < (await runningEchoes()).length) await sleep(10)
    return null
  },
  cpu: async ({ measureMs }) => {
    const { pid, instances } = await system.get_status()
    const [daemon = pid, ...runners] = processTree(pid)
    if (runners.length < instances) throw new Error(`Cannot find ${instances} runners below the daemon`)
    const before = { daemonMs: cpuMs([daemon]), runnersMs: cpuMs(runners), atMs: performance.now() }
    await sleep(measureMs)
    const percent = 100 / (performance.now() - before.atMs)
    return {
      daemonPercent: (cpuMs([daemon]) - before.daemonMs) * percent,
      runnersPercent: (cpuMs(runners) - before.runnersMs) * percent,
    }
  },
  close: async () => {
    await system.shutdown()
    return null
  },
})

async function runningEchoes(): Promise<readonly { id: string }[]> {
  return (await system.list_plugins()).filter(({ id }) => id.startsWith('echo_'))
}
