import type { PhantomError, WireError } from '../contract/phantom-error.ts'
import type { IncomingRequest } from './connection.ts'
import type { Message, PayloadRoom } from './frame-decoder.ts'

interface ConnectionHandlers {
  onRequest(request: IncomingRequest): void
  /** One for whose payload there was no room. */
  onRefusedPayload?(request: IncomingRequest): void
  onNotification(method: string, params: unknown): void
  /** An answer to a request that is not pending; absent means ignored. */
  onStrayAnswer?(id: unknown, error: WireError | null): void
  /** Called once. `error` says why when the connection ended by a fault of the stream or of the peer. */
  onClose(error: PhantomError | null): void
  /** The peer took what was waiting: sending may go on. */
  onDrain?(): void
}

export interface ConnectionOptions extends ConnectionHandlers {
  maxPayloadBytes: number
  /** Payloads travel beside their envelope, both ways. Switched on later by `usePayloadFrames`. */
  payloadFrames: boolean
  /** See FrameDecoderOptions. */
  readLine?: (line: string) => Message | null
  /** Lines of the peer may be as long as a plain peer's: a daemon's, whose logs and schemas are long. */
  takesLongLines?: boolean
  /** The owner hands over what arrives by `receive()`, see `ReadBuffer`; otherwise the stream is listened to. */
  pushesChunks?: boolean
  /**
   * Frames taken from this peer in one turn of the event loop; the rest waits until other peers had theirs. For
   * streams that are listened to. Absent: all that arrived.
   */
  framesPerTurn?: number
  /**
   * Asked for each notification and request, which nobody asked this peer for: how many milliseconds nothing is read from it after
   * that one. For streams that are listened to.
   */
  pauseMs?: () => number
  /**
   * Stops reading from a peer that does not take what was sent. For one end of a connection at most: two ends that
   * wait for each other wait for ever.
   */
  pausesWhenBehind?: boolean
  /** Whether a payload that was sent is nobody's any more, so that its memory can be freed at once. */
  mayFree?: (payload: Uint8Array) => boolean
  /** See FrameDecoderOptions. */
  room?: PayloadRoom
  /** A line that is no JSON ends the connection; otherwise it is answered with PARSE_ERROR. */
  strict: boolean
}
