import type { MessageOrigin } from '../src/contract/messages.ts'
import type { RunnerParams } from '../src/contract/runner-methods.ts'
import type { MessageContext } from '../src/plugin/plugin-context.ts'
import type { RequestId } from '../src/rpc/connection.ts'
import { Call } from './call.ts'
import type { PluginEnvironment } from './plugin-environment.ts'

/** A message, as its handler sees it: a call whose caller waits for nothing. */
export class MessageCall extends Call implements MessageContext {
  readonly #params: RunnerParams['message']

  constructor(id: RequestId, params: RunnerParams['message'], plugin: PluginEnvironment) {
    super(id, { operation: '', timeout_ms: params.timeout_ms }, plugin, () => {})
    this.#params = params
  }

  get message_id(): string {
    return this.#params.message_id
  }

  get sender(): string {
    return this.#params.sender
  }

  get origin(): MessageOrigin {
    return this.#params.origin
  }
}
