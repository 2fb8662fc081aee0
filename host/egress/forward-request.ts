import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Dispatcher } from 'undici'
import { messageOf } from '../../src/contract/phantom-error.ts'
import type { EgressMeter } from './egress-meter.ts'
import { nameOf } from './egress-gate.ts'
import { hasBody, headerBytes, requestHeaders, responseHeaders } from './forward-headers.ts'
import type { Target } from './host-rules.ts'
import { answerText } from './proxy-answer.ts'

export interface Forwarding {
  readonly target: Target
  /** Begins with `/`. */
  readonly path: string
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly meter: EgressMeter
}

/**
 * Sends one plain request on and its answer back, both framed anew: what the plugin wrote and what the server reads are
 * different messages, so neither can hide a second one from us.
 */
export function forwardRequest(dispatcher: Dispatcher, forwarding: Forwarding): void {
  const { request, response, meter, path, target } = forwarding
  const headers = requestHeaders(request.rawHeaders, target)
  meter.moved(path.length + headerBytes(headers))
  const answer = new AnswerRelay(forwarding)
  try {
    dispatcher.dispatch(
      {
        path,
        method: request.method as Dispatcher.HttpMethod,
        headers,
        body: hasBody(request.rawHeaders) ? request : null,
      },
      answer,
    )
  } catch (error) {
    // Undici refuses by a throw what it would not send: a bad method, a bad path.
    answerText(
      response,
      400,
      `Cannot send the request to ${nameOf(target)}: ${messageOf(error)}`,
      'malformed',
    )
  }
}

class AnswerRelay implements Dispatcher.DispatchHandler {
  readonly #forwarding: Forwarding
  #isOver = false

  constructor(forwarding: Forwarding) {
    this.#forwarding = forwarding
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#forwarding.response.once('close', () => {
      if (!this.#isOver) controller.abort(new Error('the plugin does not wait for the answer any more'))
    })
  }

  onBodySent(chunk: Buffer): void {
    this.#forwarding.meter.moved(chunk.length)
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    statusCode: number,
    _headers: unknown,
    statusMessage?: string,
  ): void {
    // 100 to 199 belong to the connection, which ends here.
    if (statusCode < 200) return
    const { response, meter } = this.#forwarding
    const headers = responseHeaders(toTexts(controller.rawHeaders))
    meter.moved(headerBytes(headers))
    response.writeHead(statusCode, reasonPhrase(statusMessage), headers)
    // A small answer comes whole in this turn, and leaves in one piece; the head of one that takes its time goes ahead.
    setImmediate(() => {
      if (!this.#isOver && !response.destroyed) response.flushHeaders()
    })
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    const { response, meter } = this.#forwarding
    meter.moved(chunk.length)
    if (response.write(chunk)) return
    controller.pause()
    response.once('drain', () => controller.resume())
  }

  onResponseEnd(): void {
    this.#isOver = true
    this.#forwarding.response.end()
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#isOver = true
    const { response, target } = this.#forwarding
    answerText(response, 502, `Cannot reach ${nameOf(target)}: ${messageOf(error)}`, 'unreachable')
  }
}

/** Servers write it in their own language, and Node throws at what is no ASCII. No client reads it. */
function reasonPhrase(sent = ''): string {
  return /^[\t\u0020-\u007e]*$/.test(sent) ? sent : ''
}

/** Header bytes are Latin-1, whatever they mean. */
function toTexts(raw: Dispatcher.DispatchController['rawHeaders']): string[] {
  if (!Array.isArray(raw)) return []
  return raw.map((part) => (typeof part === 'string' ? part : part.toString('latin1')))
}
