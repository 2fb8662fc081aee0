import { Call } from '../../../../sandbox-runner/call.ts'
import { createInputCheck } from '../../../../sandbox-runner/javascript/input-check.ts'
import type { PluginEnvironment } from '../../../../sandbox-runner/plugin-environment.ts'
import { toRunnerError } from '../../../../sandbox-runner/runner-error.ts'
import { StartRefused } from '../../../../sandbox-runner/start-refused.ts'
import { compileModule } from '../../../../sandbox-runner/wasm/compile-module.ts'
import { Guest } from '../../../../sandbox-runner/wasm/guest.ts'
import type { GuestAnswer } from '../../../../sandbox-runner/wasm/guest-answer.ts'
import type { RunnerPowers } from '../../../../sandbox-runner/wasm/runner-powers.ts'
import type { RunnerNotifications, RunnerParams } from '../../../../src/contract/runner-methods.ts'
import { watGuest, type WatGuest } from '../../../helpers/wat-guest.ts'

export interface Said {
  readonly level: string
  readonly message: string
  readonly executionId: string | undefined
}

const INITIALIZE: RunnerParams['initialize'] = {
  protocol_version: '1.0',
  metadata: { id: 'guest', name: 'Guest', version: '1.0.0', description: '', author: '' },
  plugin_id: 'guest',
  plugin_version: '1.0.0',
  generation: 1,
  execution_id_prefix: 'exec-',
  entry: '/plugins/guest/guest.wasm',
  workspace: '/workspace',
  data_dir: '/data',
  config: {},
  log_level: 'debug',
  eval: false,
  threads: 0,
  observe: false,
  operations: [],
  max_payload_bytes: 1024 * 1024,
}

/** A plugin of phantom-wasm v1 in this process, as the runner holds one. */
export class GuestWorld {
  readonly said: Said[] = []
  readonly progress: RunnerNotifications['progress'][] = []
  readonly sent: { recipient: string; type: string; payload: string | null }[] = []
  readonly guest: Guest
  #nextId = 1

  constructor(bytes: Uint8Array, more: Partial<RunnerParams['initialize']> = {}) {
    const powers: RunnerPowers = {
      log: (level, message, executionId) => this.said.push({ level, message, executionId }),
      denied: () => {},
      unheard: (run) => run(),
      createInputCheck,
      toRunnerError,
      sendMessage: async (recipient, type, payload) => {
        this.sent.push({
          recipient,
          type,
          payload: payload === null ? null : Buffer.from(payload).toString(),
        })
        return { message_id: `message-${this.sent.length}` }
      },
      refuseStart: (message) => new StartRefused(message),
    }
    this.guest = new Guest(compileModule(bytes, []), { ...INITIALIZE, ...more }, powers)
  }

  static async started(
    options: WatGuest | Uint8Array,
    more: Partial<RunnerParams['initialize']> = {},
  ): Promise<GuestWorld> {
    const world = new GuestWorld(options instanceof Uint8Array ? options : watGuest(options), more)
    const answer = await world.guest.begin()
    if (answer.error !== null) throw new Error(answer.error.message)
    return world
  }

  call(params: Partial<RunnerParams['execute']> = {}): { call: Call; answer: Promise<GuestAnswer> } {
    return this.send(null, params)
  }

  send(
    payload: Uint8Array | null,
    params: Partial<RunnerParams['execute']> = {},
  ): { call: Call; answer: Promise<GuestAnswer> } {
    const id = this.#nextId++
    const whole = { operation: 'echo', timeout_ms: 10_000, ...params }
    const environment = {
      executionIdOf: (one: number) => `exec-${one.toString(36)}`,
    } as unknown as PluginEnvironment
    const call = new Call(id, whole, environment, (progress) => this.progress.push(progress))
    const answer = this.guest.request({ id, method: 'execute', params: whole, payload, call })
    return { call, answer: Promise.resolve(answer) }
  }

  async execute(payload: Uint8Array | string | null = null): Promise<GuestAnswer> {
    return await this.send(typeof payload === 'string' ? Buffer.from(payload) : payload).answer
  }
}

/** The words of an answer that is an error, behind its name. */
export function failureOf(answer: GuestAnswer): string {
  return answer.error === null ? 'no error' : `${answer.error.data?.name}: ${answer.error.message}`
}
