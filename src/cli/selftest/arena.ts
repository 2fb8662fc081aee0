import fs from 'node:fs'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { create_plugin_system } from '../../client/create-plugin-system.ts'
import { isCheckout, packageRoot } from '../../client/package-root.ts'
import type { PluginSystemApi } from '../../client/plugin-system-api.ts'
import { isPhantomError } from '../../contract/phantom-error.ts'
import type { IsolationTier } from '../../contract/life.ts'
import { differenceOf, readFileFacts, type FileFacts } from './arena-files.ts'
import { ArenaListeners } from './arena-listeners.ts'
import { ArenaPlaces } from './arena-places.ts'
import { isAlive, processesNaming } from './arena-processes.ts'
import {
  attackerManifest,
  EGRESS_CONFIGURATION,
  NEIGHBOUR,
  NEIGHBOUR_CODE,
  neighbourManifest,
  pluginId,
  type ArenaPorts,
} from './attackers.ts'
import type { Attempt } from './define-probe.ts'
import type { AttackerName, Probe } from './probe.ts'

export { ArenaPlaces }

const ENVIRONMENT = 'test'
/** What fails on purpose here must not be held against the plugin. */
const CONFIGURATION = `
plugins: { builtin: false }
security: { required_tier: process }
execution: { cancel_grace_ms: 50 }
restart: { backoff_initial_ms: 1, backoff_max_ms: 5, host_intensity: 10000 }
breaker: { min_calls: 100000 }
reload: { watch: false }
log: { level: error }
`
const GONE_MS = 1_000
const POLL_MS = 20

/** A daemon of its own, hostile plugins, a neighbour that must not notice, and the host's side of what is watched. */
export class Arena implements AsyncDisposable {
  readonly places: ArenaPlaces
  readonly listeners: ArenaListeners
  readonly system: PluginSystemApi
  readonly daemonPid: number
  readonly socket: string
  readonly tier: IsolationTier
  #files: FileFacts
  #neighbourPid = 0
  #leak: string | null = null

  /**
   * @param tier `process` leaves bubblewrap out; null takes what the machine gives
   * @throws PhantomError where no daemon starts
   */
  static async open(probes: readonly Probe[], tier: IsolationTier | null): Promise<Arena> {
    const places = new ArenaPlaces()
    try {
      const listeners = await ArenaListeners.open(places)
      try {
        prepare(places, probes, listeners)
        return await start(places, listeners, new Set(probes.flatMap((probe) => probe.plugins)), tier)
      } catch (error) {
        await listeners[Symbol.asyncDispose]()
        throw error
      }
    } catch (error) {
      places.remove()
      throw error
    }
  }

  constructor(started: {
    places: ArenaPlaces
    listeners: ArenaListeners
    system: PluginSystemApi
    status: { pid: number; socket: string; tier: IsolationTier }
  }) {
    this.places = started.places
    this.listeners = started.listeners
    this.system = started.system
    this.daemonPid = started.status.pid
    this.socket = started.status.socket
    this.tier = started.status.tier
    this.#files = this.#readFiles()
  }

  /** Starts the neighbour and tells it the secret. */
  async ready(): Promise<void> {
    await this.system.execute_plugin(NEIGHBOUR, 'keep', this.places.secret)
    this.#neighbourPid = await this.pidOf(NEIGHBOUR)
    this.#files = this.#readFiles()
  }

  /** @throws PhantomError as the call ended; an Error where the attacker itself is broken */
  async attack(as: AttackerName, attack: string, input: object): Promise<readonly Attempt[]> {
    const result = await this.system.execute_plugin<Attempt[]>(pluginId(as), 'probe', { attack, input })
    this.notice(JSON.stringify(result))
    if (result.success && Array.isArray(result.result)) return result.result
    // Answered by itself, through the channel that it shares with its runner.
    if (result.success && result.result === null) return []
    throw new Error(`the attack "${attack}" failed by itself: ${result.error}`)
  }

  /** How a call ended, in a word: the error's code, or that it was answered. */
  async ending(call: Promise<readonly Attempt[]>): Promise<string> {
    try {
      const attempts = await call
      return attempts.map(({ got, error }) => got ?? error).join() || 'an answer'
    } catch (error) {
      if (isPhantomError(error)) return error.code
      throw error
    }
  }

  /** Whatever reached the host in an answer, a log line or a file; the secret in it is an escape. */
  notice(text: string): void {
    if (text.includes(this.places.secret)) this.#leak = 'the secret came out in an answer'
  }

  /** Grants an attacker all that it asks for, also what no tier of this machine can hold it to. */
  async approve(name: AttackerName): Promise<void> {
    const { digest, rights } = await this.system.get_permissions(pluginId(name))
    if (rights.length > 0) await this.system.approve_plugin(pluginId(name), digest)
  }

  /** Gives an attacker a new process. */
  async renew(name: AttackerName): Promise<void> {
    await this.system.execute_plugin(pluginId(name), 'leave').catch(() => {})
  }

  async pidOf(plugin: string): Promise<number> {
    return (await this.system.get_plugin_info(plugin)).instances[0]?.pid ?? 0
  }

  get neighbourPid(): number {
    return this.#neighbourPid
  }

  /** What the host sees changed since the last look; null for nothing. */
  async effect(): Promise<string | null> {
    const files = this.#readFiles()
    const difference = differenceOf(this.#files, files)
    this.#files = files
    const leak = this.#leak
    this.#leak = null
    const visitors = this.listeners.takeVisitors()
    if (leak !== null) return leak
    if (difference !== null) return difference
    if (visitors.length > 0) return `it reached ${[...new Set(visitors)].join(', ')}`
    const { result } = await this.system.execute_plugin(NEIGHBOUR, 'ping')
    if (result !== 'pong') return 'the neighbour does not answer as it did'
    if ((await this.pidOf(NEIGHBOUR)) !== this.#neighbourPid) return "the neighbour's process was replaced"
    return isAlive(this.daemonPid) ? null : 'the daemon is gone'
  }

  /** @returns processes that outlived the daemon by more than a second; none, if all is well */
  async close(): Promise<readonly number[]> {
    try {
      await this.system.shutdown()
      const deadline = performance.now() + GONE_MS
      while (isAlive(this.daemonPid)) await delay(POLL_MS)
      let left = processesNaming(this.places.root)
      while (left.length > 0 && performance.now() < deadline) {
        await delay(POLL_MS)
        left = processesNaming(this.places.root)
      }
      return left
    } finally {
      await this.listeners[Symbol.asyncDispose]()
      this.places.remove()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #readFiles(): FileFacts {
    const { root, workspace } = this.places
    return readFileFacts(root, [path.join(workspace, '.phantom'), path.join(workspace, 'out')])
  }
}

async function start(
  places: ArenaPlaces,
  listeners: ArenaListeners,
  attackers: ReadonlySet<AttackerName>,
  tier: IsolationTier | null,
): Promise<Arena> {
  const environment = {
    SELFTEST_SECRET: places.secret,
    SELFTEST_GIVEN: places.given,
    ...(tier === 'process' ? { PHANTOM_BWRAP: '' } : {}),
  }
  const before = Object.keys(environment).map((name) => [name, process.env[name]] as const)
  Object.assign(process.env, environment)
  try {
    const system = await create_plugin_system(places.plugins, ENVIRONMENT, {
      workspace: places.workspace,
      config_directory: places.configuration,
    })
    const arena = new Arena({ places, listeners, system, status: await system.get_status() })
    for (const name of attackers) await arena.approve(name)
    await arena.ready()
    return arena
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
  }
}

function prepare(places: ArenaPlaces, probes: readonly Probe[], ports: ArenaPorts): void {
  places.write('config/default.yaml', `${CONFIGURATION}${EGRESS_CONFIGURATION}`)
  places.write(`workspace/plugins/${NEIGHBOUR}/plugin.toml`, neighbourManifest())
  places.write(`workspace/plugins/${NEIGHBOUR}/index.js`, NEIGHBOUR_CODE)
  for (const name of new Set(probes.flatMap((probe) => probe.plugins))) {
    const folder = places.folderOf(pluginId(name))
    fs.cpSync(attackerFolder(), folder, { recursive: true })
    fs.writeFileSync(path.join(folder, 'plugin.toml'), attackerManifest(name, ports))
    fs.writeFileSync(path.join(folder, 'own.txt'), places.given)
    fs.writeFileSync(path.join(folder, 'own.json'), JSON.stringify({ given: places.given }))
    fs.symlinkSync(places.secretFile, path.join(folder, 'shipped-link.txt'))
    fs.symlinkSync(places.outside, path.join(folder, 'shipped-folder'))
  }
  for (const probe of probes) probe.prepare(places)
  places.openToAll()
}

function attackerFolder(): string {
  return path.join(packageRoot(), isCheckout ? 'src/cli/selftest/attacker' : 'dist/selftest')
}
