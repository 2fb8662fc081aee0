import type { LogLevel } from '../../src/contract/execution.ts'
import type { WireError } from '../../src/contract/phantom-error.ts'
import type { RunnerHook, RunnerOperation, RunnerParams } from '../../src/contract/runner-methods.ts'
import { RUNNER_PROTOCOL_VERSION } from '../../src/contract/version.ts'
import { rejectMissing, undeclaredMessageNotice, undeclaredNotice } from '../declared-operations.ts'
import type { BytesOperation, LoadedPlugin } from '../loaded-plugin.ts'
import type { PluginEnvironment } from '../plugin-environment.ts'
import type { CompiledModule } from './compile-module.ts'
import { Guest } from './guest.ts'
import type { GuestAnswer } from './guest-answer.ts'
import type { RunnerPowers } from './runner-powers.ts'

type Hooks = LoadedPlugin['hooks']
type Checks = ReadonlyMap<string, BytesOperation['checkInput']>
type Reported = Readonly<Record<string, unknown>>

/** A plugin in WebAssembly: compiled when it is made, instantiated and initialized by `start`. */
export class WasmPlugin implements LoadedPlugin {
  readonly operations = new Map<string, BytesOperation>()
  readonly messages = new Map<string, BytesOperation>()
  readonly notices: string[] = []
  anyOperation: BytesOperation | null = null
  hooks: Hooks = {}
  protocolVersion = RUNNER_PROTOCOL_VERSION
  readonly #module: CompiledModule
  readonly #powers: RunnerPowers
  readonly #declared: Checks
  readonly #declaredMessages: Checks

  constructor(
    module: CompiledModule,
    { operations, messages = [] }: RunnerParams['preload'],
    powers: RunnerPowers,
  ) {
    this.#module = module
    this.#powers = powers
    const checksOf = (declared: readonly RunnerOperation[]): Checks =>
      new Map(declared.map((one) => [one.name, powers.createInputCheck(one)]))
    this.#declared = checksOf(operations)
    this.#declaredMessages = checksOf(messages)
  }

  async start(environment: PluginEnvironment, params: RunnerParams['initialize']): Promise<void> {
    const guest = new Guest(this.#module, params, this.#powers)
    const answer = await guest.begin()
    if (answer.error !== null) throw this.#startError(answer.error)
    environment.previous_state = undefined
    const reported = (answer.result ?? {}) as Reported
    const version = reported['protocol_version']
    this.protocolVersion = typeof version === 'string' ? version : ''
    this.#match(guest, namesIn(reported['operations']), params.operations)
    this.#matchMessages(guest, namesIn(reported['messages']), params.messages)
    this.hooks = hooksOf(guest, reported, params.log_level)
  }

  /** In the plugin's words; where it says that the same files would fail the same way, the host is told so. */
  #startError(error: WireError): Error {
    if (error.data?.details?.['deterministic'] === true) return this.#powers.refuseStart(error.message)
    return thrownOf(error)
  }

  /** A plugin that names no operations takes all that plugin.toml declares, or where that declares none, any. */
  #match(guest: Guest, named: readonly string[], declared: readonly RunnerOperation[]): void {
    if (named.length > 0) this.#rejectMissing(named, declared, 'operations')
    const known = named.length > 0 ? named : declared.map(({ name }) => name)
    for (const name of known) {
      if (declared.length > 0 && !this.#declared.has(name)) this.notices.push(undeclaredNotice(name))
      else this.operations.set(name, operationOf(guest, this.#declared.get(name) ?? null))
    }
    if (known.length === 0) this.anyOperation = operationOf(guest, null)
  }

  /** One of before 1.2 names none, and can take none. */
  #matchMessages(guest: Guest, named: readonly string[], declared: readonly RunnerOperation[] = []): void {
    this.#rejectMissing(named, declared, 'messages')
    for (const type of named) {
      const check = this.#declaredMessages.get(type)
      if (check === undefined) this.notices.push(undeclaredMessageNotice(type))
      else this.messages.set(type, operationOf(guest, check, 'message'))
    }
  }

  #rejectMissing(
    named: readonly string[],
    declared: readonly RunnerOperation[],
    key: 'operations' | 'messages',
  ): void {
    try {
      rejectMissing(named, declared, key)
    } catch (error) {
      throw this.#powers.refuseStart((error as Error).message)
    }
  }
}

function operationOf(
  guest: Guest,
  checkInput: BytesOperation['checkInput'],
  method: 'execute' | 'message' = 'execute',
): BytesOperation {
  return {
    takes: 'bytes',
    checkInput,
    run: ({ id, params, payload }, call) =>
      guest.request({ id: Number(id), method, params: params as object, payload, call }),
  }
}

function hooksOf(guest: Guest, reported: Reported, logLevel: LogLevel): Hooks {
  const all: Required<Pick<Hooks, RunnerHook>> = {
    health: async () => (await ask(guest, 'health')).health,
    validate_config: async (config) => {
      const { veto } = await ask(guest, 'validate_config', { config })
      return typeof veto === 'string' ? veto : null
    },
    configure: async (config) => {
      await ask(guest, 'configure', { config, log_level: config['log_level'] ?? logLevel })
      guest.config = config
    },
    quiesce: () => ask(guest, 'quiesce'),
    resume: () => ask(guest, 'resume'),
    export_state: async () => (await ask(guest, 'export_state')).state,
  }
  const named = namesIn(reported['hooks'])
  const has = Object.entries(all).filter(([hook]) => named.includes(hook))
  const { metadata, capabilities } = reported
  return {
    ...Object.fromEntries(has),
    ...(metadata === undefined ? {} : { metadata: () => metadata }),
    ...(capabilities === undefined ? {} : { capabilities: () => capabilities }),
    shutdown: () => ask(guest, 'shutdown'),
  }
}

/** What a hook answered. @throws its error */
async function ask(guest: Guest, method: keyof RunnerParams, params: object = {}): Promise<Reported> {
  const answer: GuestAnswer = await guest.ask(method, params)
  if (answer.error !== null) throw thrownOf(answer.error)
  return (answer.result ?? {}) as Reported
}

/** As if code in this process had thrown it: the runner's own way from an error to the wire begins there. */
function thrownOf({ message, data }: WireError): Error {
  const { permission, resource } = data?.details ?? {}
  switch (data?.name) {
    case 'access_denied':
      return Object.assign(new Error(message), { code: 'ERR_ACCESS_DENIED', permission, resource })
    case 'out_of_memory':
      return Object.assign(new Error(message), { code: 'ERR_MEMORY_ALLOCATION_FAILED' })
    default:
      return new Error(message)
  }
}

function namesIn(value: unknown): string[] {
  return Array.isArray(value) ? [...new Set(value.filter((name) => typeof name === 'string'))] : []
}
