import type { ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { EgressRefusal } from './egress-meter.ts'
import { STATUS_CODES } from './node-http.ts'

/** The header that tells our own answers from a server's. */
const REFUSAL_HEADER = 'x-phantom-egress'

const STATUS: Readonly<Record<EgressRefusal['reason'], number>> = {
  not_granted: 403,
  address: 403,
  unresolved: 502,
  malformed: 400,
  unsupported: 501,
  tls_name: 403,
  busy: 503,
}

export function statusOf({ reason }: EgressRefusal): number {
  return STATUS[reason]
}

/** Tells the plugin why, on a connection that Node's server still holds. */
export function answerRefusal(response: ServerResponse, refusal: EgressRefusal): void {
  answerText(response, statusOf(refusal), refusal.message, refusal.reason)
}

export function answerText(response: ServerResponse, status: number, message: string, reason: string): void {
  if (response.headersSent || response.destroyed) {
    response.destroy()
    return
  }
  const body = `${message}\n`
  // Named: one that was tried before stays with the answer.
  response.writeHead(status, STATUS_CODES[status], {
    'content-type': 'text/plain; charset=utf-8',
    'content-length': Buffer.byteLength(body),
    [REFUSAL_HEADER]: reason,
    // What the request still sends is not read.
    connection: 'close',
  })
  response.end(body)
}

/** The same on a connection that is nobody's any more: after CONNECT, an upgrade, or bytes that are no request. */
export function writeRefusal(socket: Duplex, status: number, message: string, reason: string): void {
  if (!socket.writable) {
    socket.destroy()
    return
  }
  const body = `${message}\n`
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\ncontent-type: text/plain; charset=utf-8\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\n${REFUSAL_HEADER}: ${reason}\r\nconnection: close\r\n\r\n${body}`,
    () => socket.destroy(),
  )
}
