// By name, here and below: of a default import the bundle copies every member at start, 0.5 ms for node:fs.
import { Socket } from 'node:net'
import { RUNNER_EXIT_CODES } from '../src/contract/exit-codes.ts'
import { PhantomError } from '../src/contract/phantom-error.ts'
import { quoteText } from '../src/contract/quote-text.ts'
import type { RunnerHook, RunnerParams, RunnerResults } from '../src/contract/runner-methods.ts'
import { RUNNER_PROTOCOL_VERSION } from '../src/contract/version.ts'
import { Connection, type IncomingRequest } from '../src/rpc/connection.ts'
import { CallRunner } from './call-runner.ts'
import { runCanary } from './canary.ts'
import { HOOK_CALLS, hooksOf, isHook, type HookTarget } from './hook-calls.ts'
import { toJsonReport } from './json-report.ts'
import type { LoadedPlugin } from './loaded-plugin.ts'
import { Outbox } from './outbox.ts'
import { PluginEnvironment } from './plugin-environment.ts'
import { LogSender } from './plugin-log.ts'
import { ReadBuffer } from '../src/rpc/read-buffer.ts'
import { createInputCheck } from './javascript/input-check.ts'
import { textOf, toRunnerError } from './runner-error.ts'
import { startFailure } from './start-failure.ts'
import { StartRefused } from './start-refused.ts'
import { loadCode, type LoaderPowers } from './start-plugin.ts'
import { PermissionWatch } from './watch-permissions.ts'

type Exit = (code: number) => never

/** Serves contract Runner on a descriptor until the host closes it. */
export function servePlugin(fd: number, exit: Exit): void {
  const reading = new ReadBuffer()
  const socket = new Socket({ fd, readable: true, writable: true, onread: reading.onread })
  const runner = new PluginServer(socket, { reading, exit })
  // What was answered leaves also when plugin code calls process.exit(), or throws where nobody catches.
  process.on('exit', () => runner.sendLastWords())
  process.on('unhandledRejection', (reason) => runner.reportRejection(reason))
}

interface Served extends HookTarget {
  readonly calls: CallRunner
}

interface Preloaded {
  readonly params: RunnerParams['preload']
  readonly code: Promise<LoadedPlugin>
}

class PluginServer {
  readonly #connection: Connection
  readonly #socket: Socket
  readonly #exit: Exit
  readonly #log: LogSender
  readonly #permissions: PermissionWatch
  readonly #powers: LoaderPowers
  #preloaded: Preloaded | null = null
  #isInitialized = false
  #isLeaving = false
  #served: Served | null = null
  #outbox: Outbox | null = null

  constructor(socket: Socket, options: { reading: ReadBuffer; exit: Exit }) {
    this.#socket = socket
    this.#exit = options.exit
    this.#connection = new Connection(socket, {
      // The host has held every input to its own configuration, which is not known here yet.
      maxPayloadBytes: Number.MAX_SAFE_INTEGER,
      payloadFrames: true,
      strict: true,
      pushesChunks: true,
      // What was made for an answer is nobody else's: the memory of large ones counts until it is free.
      mayFree: () => true,
      // The first message carries the schemas of all operations.
      takesLongLines: true,
      onRequest: (request) => this.#serve(request),
      onNotification: (method, params) => this.#notified(method, params),
      onClose: (error) => this.#closed(error),
    })
    options.reading.attach(this.#connection)
    this.#log = new LogSender(this.#connection, 'info')
    this.#permissions = new PermissionWatch((denied) => this.#connection.notify('denied', denied))
    this.#powers = {
      log: (level, message, executionId) => this.#log.send(level, message, executionId),
      denied: (permission, resource) => this.#permissions.denied(permission, resource),
      unheard: (run) => this.#permissions.unheard(run),
      quietly: (run) => this.#permissions.quietly(run),
      createInputCheck,
      toRunnerError,
      sendMessage: (recipient, type, payload) => this.#outbox!.sendText(recipient, type, payload),
      refuseStart: (message) => new StartRefused(message),
    }
    socket.on('end', () => this.#closed(null))
  }

  /** The process is exiting: what the kernel takes in this moment still reaches the host. */
  sendLastWords(): void {
    this.#isLeaving = true
    this.#connection.end()
  }

  /** A promise that nobody waits for says nothing about the calls in flight: they go on. */
  reportRejection(reason: unknown): void {
    this.#log.send('error', `A promise was rejected and nobody handled it: ${textOf(reason)}`)
    this.#log.send('debug', reason)
  }

  #serve(request: IncomingRequest): void {
    if (this.#served !== null && request.method === 'execute') {
      this.#served.calls.execute(request)
      return
    }
    switch (request.method) {
      case 'attest':
        if (this.#isInitialized || this.#preloaded !== null)
          throw violation('"attest" came after other messages')
        void this.#tryCanary(request)
        return
      case 'preload':
        if (this.#isInitialized || this.#preloaded !== null) {
          throw violation('"preload" came twice, or after "initialize"')
        }
        void this.#preload(request)
        return
      case 'initialize':
        if (this.#isInitialized) throw violation('"initialize" came twice')
        this.#isInitialized = true
        assertSameCode(this.#preloaded, request.params as RunnerParams['initialize'])
        void this.#initialize(request)
        return
      case 'ping':
        this.#connection.respond(request.id, null, null)
        return
      case 'shutdown':
        void this.#shutDown(request)
        return
      case 'message':
        if (this.#served === null) throw calledTooEarly(request)
        this.#served.calls.message(request)
        return
      case 'execute':
        throw calledTooEarly(request)
      default:
        if (isHook(request.method)) {
          this.#serveHook(request, request.method)
          return
        }
        this.#connection.respondError(
          request.id,
          new PhantomError(
            'METHOD_NOT_FOUND',
            `Cannot call ${quoteText(request.method)}: the runner has no such method`,
          ),
        )
    }
  }

  /** What it tries is no doing of the plugin's: nobody is told that it was refused. */
  async #tryCanary({ id, params }: IncomingRequest): Promise<void> {
    const tried = await this.#permissions.quietly(() => runCanary(params as RunnerParams['attest']))
    this.#connection.respond(id, tried, null)
  }

  #notified(method: string, params: unknown): void {
    if (method === 'cancel') this.#served?.calls.cancel((params as RunnerParams['cancel']).id)
  }

  async #preload(request: IncomingRequest): Promise<void> {
    const params = request.params as RunnerParams['preload']
    if (!this.#agree(request, params)) return
    const code = loadCode(params, this.#powers)
    this.#preloaded = { params, code }
    try {
      await code
      this.#connection.respond(request.id, null, null)
    } catch (error) {
      this.#connection.respondWireError(request.id, startFailure(error, params.entry))
    }
  }

  async #initialize(request: IncomingRequest): Promise<void> {
    const params = request.params as RunnerParams['initialize']
    if (!this.#agree(request, params)) return
    const outbox = new Outbox(this.#connection, params.max_payload_bytes)
    this.#outbox = outbox
    const environment = new PluginEnvironment(params, this.#log, outbox)
    try {
      const plugin = await (this.#preloaded?.code ?? loadCode(params, this.#powers))
      this.#preloaded = null
      await plugin.start(environment, params)
      const result: RunnerResults['initialize'] = {
        protocol_version: plugin.protocolVersion,
        operations: [...plugin.operations.keys()],
        hooks: hooksOf(plugin),
      }
      if (plugin.messages.size > 0) result.messages = [...plugin.messages.keys()]
      for (const hook of ['metadata', 'capabilities'] as const) {
        const report = await this.#report(plugin, hook)
        if (report !== undefined) result[hook] = report
      }
      for (const notice of plugin.notices) this.#log.send('warn', notice)
      const { max_payload_bytes: maxPayloadBytes } = params
      const calls = new CallRunner({
        connection: this.#connection,
        plugin,
        environment,
        log: this.#log,
        maxPayloadBytes,
        permissions: this.#permissions,
      })
      this.#served = { plugin, environment, log: this.#log, calls }
      this.#connection.respond(request.id, result, null)
    } catch (error) {
      this.#connection.respondWireError(request.id, startFailure(error, params.entry))
    }
  }

  async #report(plugin: LoadedPlugin, hook: 'metadata' | 'capabilities'): Promise<unknown> {
    if (plugin.hooks[hook] === undefined) return undefined
    try {
      return toJsonReport(await plugin.hooks[hook]())
    } catch (error) {
      this.#log.send('warn', `What ${hook}() says is not passed on: ${textOf(error)}`)
      return undefined
    }
  }

  #serveHook(request: IncomingRequest, hook: RunnerHook): void {
    if (this.#served === null) throw calledTooEarly(request)
    // Each takes its own params; which they are is the host's word.
    const call = HOOK_CALLS[hook] as (target: HookTarget, params: unknown) => Promise<unknown>
    void call(this.#served, request.params).then(
      (result) => this.#connection.respond(request.id, result, null),
      (error: unknown) => this.#connection.respondWireError(request.id, toRunnerError(error)),
    )
  }

  async #shutDown(request: IncomingRequest): Promise<void> {
    if (this.#served !== null) {
      const { plugin, environment, calls } = this.#served
      environment.shutDown()
      calls.abortAll()
      try {
        await plugin.hooks.shutdown?.()
      } catch (error) {
        this.#log.send('error', `shutdown() failed: ${textOf(error)}`)
      }
    }
    this.#connection.respond(request.id, null, null)
    this.#leaveBy(RUNNER_EXIT_CODES.ok)
  }

  /** Takes what both first messages say; false when this runner cannot serve that host. */
  #agree(request: IncomingRequest, params: RunnerParams['preload']): boolean {
    this.#log.setLevel(params.log_level)
    if (params.observe) this.#permissions.observe()
    if (majorOf(params.protocol_version) === majorOf(RUNNER_PROTOCOL_VERSION)) return true
    const found = quoteText(String(params.protocol_version))
    this.#connection.respondError(
      request.id,
      new PhantomError(
        'VERSION_UNSUPPORTED',
        `Cannot serve protocol ${found}: this runner speaks ${RUNNER_PROTOCOL_VERSION}. Install host and runner from one package`,
      ),
    )
    this.#leaveBy(RUNNER_EXIT_CODES.protocol)
    return false
  }

  /** Exits when the host took all that was sent, or does not take it. */
  #leaveBy(code: number): void {
    if (this.#isLeaving) return
    this.#isLeaving = true
    this.#socket.once('close', () => this.#exit(code))
    this.#connection.end()
  }

  #closed(error: PhantomError | null): void {
    if (this.#isLeaving) return
    this.#exit(
      error?.code === 'PROTOCOL_VIOLATION' ? RUNNER_EXIT_CODES.protocol : RUNNER_EXIT_CODES.host_gone,
    )
  }
}

/** A module is imported once in a process, and eval is forbidden for good: nothing of it can be taken back. */
function assertSameCode(preloaded: Preloaded | null, params: RunnerParams['initialize']): void {
  if (preloaded === null || codeOf(preloaded.params) === codeOf(params)) return
  throw violation('"initialize" has another entry, eval, threads, operations or messages than "preload" had')
}

function codeOf({ entry, eval: mayEval, threads, operations, messages }: RunnerParams['preload']): string {
  return JSON.stringify([entry, mayEval, threads, operations, messages])
}

function calledTooEarly({ method }: IncomingRequest): PhantomError {
  return violation(`"${method}" came before "initialize" was answered with success`)
}

function violation(what: string): PhantomError {
  return new PhantomError('PROTOCOL_VIOLATION', `Cannot follow the host: ${what}`)
}

function majorOf(version: unknown): string {
  return String(version).split('.')[0] ?? ''
}
