import { subscribe } from 'node:diagnostics_channel'
import { registerHooks } from 'node:module'
import { EVAL_CHANNEL } from './forbid-eval.ts'
import { rememberTarget, targetOf } from './asked-hosts.ts'
import { deniedIn, PERMISSION_CHANNELS } from './permission-channels.ts'
import { permissionOfModule, readText } from './runner-error.ts'

/** Told between two calls, or of an observed process; the host bounds by itself what it believes. */
const MAX_TOLD = 64
const MAX_TOLD_OBSERVED = 4096
const MAX_CHARS = 4096

type Tell = (denied: { permission: string; resource: string }) => void

/** Tells of each access that the permission model did not grant, whether or not plugin code caught the error. */
export class PermissionWatch {
  readonly #told = new Set<string>()
  readonly #tell: Tell
  #isObserving = false
  #isQuiet = false

  constructor(tell: Tell) {
    this.#tell = tell
    for (const channel of PERMISSION_CHANNELS)
      subscribe(channel, (message) => {
        const denied = deniedIn(message)
        if (denied !== null) this.denied(denied.permission, denied.resource)
      })
    subscribe('undici:request:create', (message) => this.#requested(originOf(message)))
    subscribe('http.client.request.start', (message) => this.#requested(hostHeaderOf(message)))
  }

  /** Without telling of what is refused meanwhile. */
  async quietly<Value>(run: () => Promise<Value>): Promise<Value> {
    this.#isQuiet = true
    try {
      return await run()
    } finally {
      this.#isQuiet = false
    }
  }

  /** The same of what is done at once. */
  unheard<Value>(run: () => Value): Value {
    const wasQuiet = this.#isQuiet
    this.#isQuiet = true
    try {
      return run()
    } finally {
      this.#isQuiet = wasQuiet
    }
  }

  /** A call begins: what was told before is told again. */
  forget(): void {
    if (!this.#isObserving) this.#told.clear()
  }

  /**
   * From now on also of what nothing refuses (which ports are meant, which variables are read), and of what is refused
   * without a word to Node's channels: code from text, modules that its flags take away.
   */
  observe(): void {
    if (this.#isObserving) return
    this.#isObserving = true
    subscribe(EVAL_CHANNEL, () => this.#say('Eval', ''))
    registerHooks({
      resolve: (specifier, context, nextResolve) => {
        const permission = permissionOfModule(specifier)
        if (permission !== null) this.#say(permission, specifier)
        return nextResolve(specifier, context)
      },
    })
    process.env = new Proxy(process.env, {
      get: (variables, name, receiver) => {
        if (typeof name === 'string') this.#say('Env', name)
        return Reflect.get(variables, name, receiver) as unknown
      },
      has: (variables, name) => {
        if (typeof name === 'string') this.#say('Env', name)
        return Reflect.has(variables, name)
      },
    })
  }

  /** Also for what a thread of the plugin's tells, and what a runtime of ours refused before Node was asked. */
  denied(permission: string, resource: string): void {
    this.#say(permission, permission === 'Net' ? targetOf(resource) : resource)
  }

  /** The permission model names hosts without the port that was meant. */
  #requested(target: string | null): void {
    if (target === null) return
    rememberTarget(target)
    if (this.#isObserving) this.#say('Net', target)
  }

  #say(permission: string, resource: string): void {
    if (this.#isQuiet) return
    const key = `${permission} ${resource}`
    if (this.#told.has(key) || this.#told.size >= (this.#isObserving ? MAX_TOLD_OBSERVED : MAX_TOLD)) return
    this.#told.add(key)
    this.#tell({ permission, resource })
  }
}

/** `host:port` of what `fetch` is about to ask. */
function originOf(message: unknown): string | null {
  const origin = readText((message as { request?: unknown }).request, 'origin', MAX_CHARS)
  if (origin === null || !URL.canParse(origin)) return null
  const { hostname, port, protocol } = new URL(origin)
  return `${hostname}:${port === '' ? (protocol === 'http:' ? 80 : 443) : port}`
}

/** The same of `node:http` and `node:https`. */
function hostHeaderOf(message: unknown): string | null {
  const { request } = message as { request?: { host?: unknown; protocol?: unknown; getHeader?: unknown } }
  if (typeof request?.host !== 'string' || typeof request.getHeader !== 'function') return null
  const header: unknown = (request.getHeader as (name: string) => unknown).call(request, 'host')
  const port = typeof header === 'string' ? /:(\d+)$/.exec(header)?.[1] : undefined
  const host = request.host.includes(':') ? `[${request.host}]` : request.host
  return `${host}:${port ?? (request.protocol === 'http:' ? 80 : 443)}`
}
