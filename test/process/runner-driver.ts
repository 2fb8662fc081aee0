import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import path from 'node:path'
import { NO_CAPABILITIES } from '../../src/contract/manifest.ts'
import { nodeFlags } from '../../host/sandbox/node-flags.ts'
import type { RunnerNotifications, RunnerParams } from '../../src/contract/runner-methods.ts'
import { Connection, type Answer } from '../../src/rpc/connection.ts'

const ROOT = path.resolve(import.meta.dirname, '../..')
/** The built runner, as the host starts it; built anew when a source is newer. */
export function buildRunner(): string {
  execFileSync(process.execPath, [path.join(ROOT, '.scripts/build.mjs'), '--runner-if-stale'], {
    stdio: 'pipe',
  })
  return path.join(ROOT, 'dist/sandbox-runner/main.cjs')
}

export interface RunnerSettings {
  /** The built runner; null where the entry point is a program that speaks for itself. */
  runner: string | null
  entry: string
  /** Folders it may read beside its own and its entry's. */
  readable?: string[]
  initialize?: Partial<RunnerParams['initialize']>
}

type Log = RunnerNotifications['log']
type Progress = RunnerNotifications['progress']

/** A real runner, without the outer sandbox, driven over fd 3 by the connection that the host uses. */
export class RunnerDriver {
  readonly child: ChildProcess
  readonly channel: Socket
  readonly connection: Connection
  readonly logs: Log[] = []
  readonly progress: Progress[] = []
  readonly exited: Promise<{ code: number | null; signal: string | null }>
  stderr = ''
  readonly #settings: RunnerSettings
  #watchers: (() => void)[] = []

  constructor(settings: RunnerSettings) {
    this.#settings = settings
    const [program, ...parameters] = commandOf(settings)
    this.child = spawn(program, parameters, { stdio: ['ignore', 'pipe', 'pipe', 'pipe'], env: {} })
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.stderr += text))
    this.child.stdout?.resume()
    this.exited = once(this.child, 'close').then(([code, signal]) => ({ code, signal }))
    this.channel = this.child.stdio[3] as Socket
    this.connection = new Connection(this.channel, {
      maxPayloadBytes: 64 * 1024 * 1024,
      payloadFrames: true,
      strict: true,
      onRequest: () => {},
      onNotification: (method, params) => this.#notified(method, params),
      onClose: () => {},
    })
  }

  /** Loads the code alone, as a standby's host does; `start()` comes behind it. */
  async preload(more: Partial<RunnerParams['preload']> = {}): Promise<Answer> {
    const { entry, initialize } = this.#settings
    return this.call('preload', {
      protocol_version: '1.2',
      entry,
      eval: initialize?.eval ?? false,
      threads: initialize?.threads ?? 0,
      operations: initialize?.operations ?? [],
      log_level: 'info',
      ...more,
    })
  }

  async start(): Promise<Answer> {
    const { entry, initialize } = this.#settings
    return this.call('initialize', {
      protocol_version: '1.2',
      plugin_id: 'driven',
      plugin_version: '1.0.0',
      metadata: { id: 'driven', name: 'Driven', version: '1.0.0', description: '', author: '' },
      generation: 3,
      execution_id_prefix: 'exec-',
      entry,
      workspace: '/workspace',
      data_dir: '/data',
      config: {},
      log_level: 'info',
      eval: false,
      threads: 0,
      operations: [],
      max_payload_bytes: 1024 * 1024,
      ...initialize,
    })
  }

  call(method: string, params: object, payload: Buffer | null = null): Promise<Answer> {
    return new Promise((resolve) => this.connection.request(method, params, payload, resolve))
  }

  execute(operation: string, input?: unknown, more: object = {}): Promise<Answer> {
    const payload = input === undefined ? null : Buffer.from(JSON.stringify(input))
    return this.call('execute', { operation, timeout_ms: 10_000, ...more }, payload)
  }

  /** Waits for a notification; the test's own time limit ends a wait for one that never comes. */
  async until(isThere: () => boolean): Promise<void> {
    while (!isThere()) await new Promise<void>((resolve) => this.#watchers.push(resolve))
  }

  async stop(): Promise<void> {
    this.child.kill('SIGKILL')
    this.connection.destroy()
    await this.exited
  }

  #notified(method: string, params: unknown): void {
    if (method === 'log') this.logs.push(params as Log)
    else if (method === 'progress') this.progress.push(params as Progress)
    const watchers = this.#watchers
    this.#watchers = []
    for (const watcher of watchers) watcher()
  }
}

function commandOf({ runner, entry, readable = [], initialize }: RunnerSettings): [string, ...string[]] {
  if (runner === null) return [entry]
  const flags = nodeFlags({
    readPaths: [path.dirname(runner), path.dirname(entry), ...readable],
    writePaths: [],
    maxMemoryMb: 256,
    allowNet: false,
    process: false,
    runtime: NO_CAPABILITIES,
    threads: initialize?.threads ?? 0,
    observe: false,
    isWasm: entry.endsWith('.wasm'),
  })
  return [process.execPath, ...flags, runner]
}

/** What an operation returned; fails on an error. */
export function resultOf(answer: Answer): unknown {
  if (answer.error !== null) throw new Error(`it answered an error: ${JSON.stringify(answer.error)}`)
  return answer.payload === null ? answer.result : JSON.parse(answer.payload.toString())
}

/** The error it answered, `name: message` and its details; fails on a result. */
export function errorOf(answer: Answer): { name: string; message: string; details: Record<string, unknown> } {
  if (answer.error === null) throw new Error('it answered a result')
  const { message, data } = answer.error
  return { name: data?.name ?? '', message, details: data?.details ?? {} }
}
