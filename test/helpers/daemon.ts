import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { create_plugin_system, type PluginSystemApi } from '../../src/index.ts'
import type { ErrorCode } from '../../src/contract/error-codes.ts'
import type { PluginExecutionResult } from '../../src/contract/execution.ts'
import type { ApprovalResult } from '../../src/contract/permissions-info.ts'
import type { DaemonStatus } from '../../src/contract/system-methods.ts'
import type { PluginInfo } from '../../src/contract/plugin-info.ts'
import { isPhantomError, type PhantomError } from '../../src/contract/phantom-error.ts'
import { manifestText } from './plugin-folders.ts'
import { RawClient } from './raw-client.ts'

const FIXTURES = path.resolve(import.meta.dirname, '../fixtures/plugins')
const POLL_MS = 20
const PATIENCE_MS = 15_000

export interface DaemonOptions {
  /** Fixtures by folder name, which gives the id (`a-b` is `a_b`); `echoes as second` gives a copy the id `second`. */
  readonly plugins?: readonly string[]
  /** Files below the world's folder, made before the daemon starts. */
  readonly files?: Readonly<Record<string, string | Buffer>>
  /** `default.yaml` of the daemon's configuration. */
  readonly config?: string
  /** Changes the world before the daemon starts. */
  readonly prepare?: (world: World) => void
  /** Where the world's folder is made; a sandbox shows a /tmp of its own in the place of the usual one. */
  readonly base?: string
  /** Environment of the daemon, on top of this process's. */
  readonly environment?: Readonly<Record<string, string>>
}

export type ExecuteOptions = Parameters<PluginSystemApi['execute_plugin']>[3]

/** A folder of a test's own: plugins, workspace, configuration. Open to every user, as a real project is. */
export class World {
  readonly folder: string
  readonly plugins: string
  readonly #config: string | null

  constructor({
    plugins = [],
    files = {},
    config,
    base = os.tmpdir(),
  }: Omit<DaemonOptions, 'environment'> = {}) {
    this.folder = fs.realpathSync(fs.mkdtempSync(path.join(base, 'phantom-world-')))
    fs.chmodSync(this.folder, 0o755)
    this.plugins = this.path('plugins')
    fs.mkdirSync(this.plugins)
    for (const plugin of plugins) this.addPlugin(plugin)
    for (const [name, text] of Object.entries(files)) this.write(name, text)
    this.#config = config === undefined ? null : this.path('config')
    if (config !== undefined) this.write('config/default.yaml', config)
  }

  path(...names: string[]): string {
    return path.join(this.folder, ...names)
  }

  write(name: string, content: string | Buffer): void {
    const file = this.path(name)
    fs.mkdirSync(path.dirname(file), { recursive: true })
    fs.writeFileSync(file, content)
  }

  addPlugin(named: string): void {
    const [fixture = '', id = fixture.replaceAll('-', '_')] = named.split(' as ')
    const folder = path.join(this.plugins, id)
    fs.cpSync(path.join(FIXTURES, fixture), folder, { recursive: true })
    const manifest = path.join(folder, 'plugin.toml')
    const text = fs.readFileSync(manifest, 'utf8')
    fs.writeFileSync(manifest, text.replace(/^id = .*$/m, `id = "${id}"`))
  }

  /** A plugin of one manifest, healthy but for what the test adds. */
  addManifest(id: string, more = ''): void {
    this.write(`plugins/${id}/plugin.toml`, manifestText(id, more))
    this.write(`plugins/${id}/index.js`, 'export default { operations: { fine: () => "fine" } }\n')
  }

  /** Attaches to the daemon of this world, or starts it. */
  attach(workspace = this.folder, environment = 'test'): Promise<PluginSystemApi> {
    const options = this.#config === null ? {} : { config_directory: this.#config }
    return create_plugin_system(this.plugins, environment, { workspace, ...options })
  }

  remove(): void {
    fs.rmSync(this.folder, { recursive: true, force: true })
  }
}

/** A private daemon over a world of its own, and an application that is attached to it. */
export class TestDaemon {
  readonly world: World
  readonly system: PluginSystemApi
  readonly pid: number
  readonly socketPath: string
  readonly adminSocketPath: string
  readonly #clients: RawClient[] = []

  static async start(options: DaemonOptions): Promise<TestDaemon> {
    const world = new World(options)
    try {
      options.prepare?.(world)
      const system = await withEnvironment(options.environment ?? {}, () => world.attach())
      return new TestDaemon(world, system, await system.get_status())
    } catch (error) {
      world.remove()
      throw error
    }
  }

  private constructor(world: World, system: PluginSystemApi, daemon: DaemonStatus) {
    this.world = world
    this.system = system
    this.pid = daemon.pid
    this.socketPath = daemon.socket
    this.adminSocketPath = daemon.admin_socket
  }

  call<Result = unknown>(
    id: string,
    operation: string,
    input?: unknown,
    options?: ExecuteOptions,
  ): Promise<PluginExecutionResult<Result>> {
    return this.system.execute_plugin<Result>(id, operation, input, options)
  }

  /** The error with which a call is rejected. */
  async refusal(
    id: string,
    operation: string,
    input?: unknown,
    options?: ExecuteOptions,
  ): Promise<PhantomError> {
    return await refusalOf(this.call(id, operation, input, options))
  }

  /** Says yes to all that a plugin asks for now, or to a part of it. */
  async approve(id: string, permissions?: string[]): Promise<ApprovalResult> {
    const { digest } = await this.system.get_permissions(id)
    return await this.system.approve_plugin(id, digest, permissions)
  }

  info(id: string): Promise<PluginInfo> {
    return this.system.get_plugin_info(id)
  }

  /** The process that serves a plugin in this world's workspace; started by a call before. */
  async pidOf(id: string): Promise<number> {
    const pid = (await this.info(id)).instances[0]?.pid ?? null
    if (pid === null) throw new Error(`"${id}" has no process`)
    return pid
  }

  /** A client that speaks to the socket by hand. */
  async connect(): Promise<RawClient> {
    const client = await RawClient.open(this.socketPath)
    this.#clients.push(client)
    return client
  }

  /** The same on the operators' socket. */
  async connectOperator(): Promise<RawClient> {
    const client = await RawClient.open(this.adminSocketPath)
    this.#clients.push(client)
    return client
  }

  /** What the daemon holds of its own memory: resident, without file pages. */
  memoryMb(): number {
    const status = fs.readFileSync(`/proc/${this.pid}/status`, 'utf8')
    return Number(/^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024
  }

  /** Ends what was started and waits until it is gone. */
  async stop(): Promise<void> {
    try {
      for (const client of this.#clients) client.destroy()
      await this.system.shutdown()
      await until(() => !isAlive(this.pid), `the end of daemon ${this.pid}`)
    } finally {
      this.world.remove()
    }
  }
}

export async function refusalOf(call: Promise<unknown>): Promise<PhantomError> {
  let answer: unknown
  try {
    answer = await call
  } catch (error) {
    if (isPhantomError(error)) return error
    throw error
  }
  throw new Error(`expected a refusal, got ${JSON.stringify(answer)?.slice(0, 500)}`)
}

/** The code with which a call is rejected, or what it resolved with. */
export async function outcomeOf(call: Promise<PluginExecutionResult>): Promise<ErrorCode | 'ok' | 'failed'> {
  try {
    return (await call).success ? 'ok' : 'failed'
  } catch (error) {
    if (isPhantomError(error)) return error.code
    throw error
  }
}

export function isAlive(pid: number): boolean {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'latin1')
    return !'ZX'.includes(stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3))
  } catch {
    // ENOENT, ESRCH: it is gone.
    return false
  }
}

/** Waits for a condition, and fails by its name when it never comes. */
export async function until(
  isThere: () => boolean | Promise<boolean>,
  what: string,
  patienceMs = PATIENCE_MS,
): Promise<void> {
  const deadline = performance.now() + patienceMs
  while (!(await isThere())) {
    if (performance.now() > deadline) throw new Error(`waited ${patienceMs} ms in vain for ${what}`)
    await delay(POLL_MS)
  }
}

async function withEnvironment<Value>(
  environment: Readonly<Record<string, string>>,
  run: () => Promise<Value>,
): Promise<Value> {
  const before = { ...process.env }
  Object.assign(process.env, environment)
  try {
    return await run()
  } finally {
    for (const name of Object.keys(environment)) delete process.env[name]
    Object.assign(process.env, before)
  }
}
