/** A pinned process: GETs to a server beside it, by a plugin through the daemon's proxy and directly. */
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import type { PluginSystemApi } from '@phantom-ml/core'
import type { EgressParams, EgressQuestions } from '../harness/questions.ts'
import { serveQuestions } from '../harness/serve-questions.ts'
import { installPlugins } from './install-plugins.ts'
import { openSystem, pluginDirectory } from './open-system.ts'

const SERVER = new URL('../floors/hello-server.main.ts', import.meta.url).pathname
const LOOP = new URL('../plugins/fetcher/time-gets.js', import.meta.url).href

type TimeGets = (input: { url: string } & Record<string, unknown>) => Promise<{ p50: number; p99: number }>

let system: PluginSystemApi
let server: ChildProcess
let url: string

serveQuestions<EgressQuestions>({
  start: async () => {
    server = fork(SERVER)
    const [port] = (await once(server, 'message')) as [number]
    url = `http://127.0.0.1:${port}/`
    system = await openSystem(process.cwd(), { plugins: {} })
    await install(port)
    return { tier: (await system.get_status()).tier }
  },
  proxied: async (params) => {
    const { success, result, error } = await system.execute_plugin<{ p50: number; p99: number }>(
      'fetcher',
      'get',
      inputOf(params),
    )
    if (!success || result === null) throw new Error(`Cannot measure a GET: ${error}`)
    return inMicroseconds(result)
  },
  direct: async (params) => {
    const { timeGets } = (await import(LOOP)) as { timeGets: TimeGets }
    return inMicroseconds(await timeGets(inputOf(params)))
  },
  close: async () => {
    server.disconnect()
    await system.shutdown()
    return null
  },
})

/** With the right to that very server, which no plugin has without a person's yes. */
async function install(port: number): Promise<void> {
  const directory = pluginDirectory(process.cwd())
  installPlugins(directory, { fetcher: 'fetcher' })
  const manifest = path.join(directory, 'fetcher/plugin.toml')
  fs.writeFileSync(manifest, fs.readFileSync(manifest, 'utf8').replace('127.0.0.1:1', `127.0.0.1:${port}`))
  await system.load_plugin('fetcher')
  const { digest } = await system.get_permissions('fetcher')
  await system.approve_plugin('fetcher', digest)
}

function inputOf({ way, slot }: EgressParams): { url: string } & Record<string, unknown> {
  return { url, way, ...slot }
}

function inMicroseconds({ p50, p99 }: { p50: number; p99: number }): { p50: number; p99: number } {
  return { p50: p50 * 1000, p99: p99 * 1000 }
}
