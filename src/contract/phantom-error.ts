import { ERROR_CODES, errorCodeOfNumber, type ErrorCode } from './error-codes.ts'

/** JSON-RPC 2.0 error object, as it stands on the wire. `data` carries our code's name and its details. */
export interface WireError {
  readonly code: number
  readonly message: string
  readonly data?: {
    readonly name: string
    readonly retryable?: boolean
    readonly details?: ErrorDetails
    readonly cause?: string
  }
}

export type ErrorDetails = Readonly<Record<string, unknown>>

const BRAND = Symbol.for('@phantom-ml/core.PhantomError')
const MAX_MESSAGE_CHARS = 8 * 1024
const MAX_CAUSES = 8

/**
 * The one error class: a failure that a caller may act on. `code` is stable, `message` is for people and ends
 * with what to do, `details` holds the facts. Misuse of an API throws `TypeError` or `RangeError` instead.
 */
export class PhantomError extends Error {
  override readonly name = 'PhantomError'
  readonly code: ErrorCode
  readonly details: ErrorDetails
  readonly retryable: boolean
  readonly [BRAND] = true

  constructor(code: ErrorCode, message: string, options: { details?: ErrorDetails; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.details = options.details ?? {}
    this.retryable = ERROR_CODES[code].retryable
  }
}

/** True for a PhantomError of any copy of this package in the process. */
export function isPhantomError(value: unknown): value is PhantomError {
  return typeof value === 'object' && value !== null && BRAND in value
}

/** The one place where an error becomes wire data. The stack stays behind: it goes to the daemon's log only. */
export function toWireError(error: unknown): WireError {
  if (!isPhantomError(error)) {
    return {
      code: ERROR_CODES.INTERNAL_ERROR.rpc,
      message: `Cannot finish the request: ${messageOf(error)}. This is a defect of ours: see the daemon's log`,
      data: { name: 'INTERNAL_ERROR', retryable: false },
    }
  }
  const cause = causeChain(error.cause)
  return {
    code: ERROR_CODES[error.code].rpc,
    message: error.message.slice(0, MAX_MESSAGE_CHARS),
    data: {
      name: error.code,
      retryable: error.retryable,
      details: error.details,
      ...(cause === '' ? {} : { cause }),
    },
  }
}

/** Reads an error object that came over a wire from a peer whose codes may be believed (the daemon). */
export function fromWireError(error: WireError): PhantomError {
  const code = errorCodeOfNumber(error.code) ?? 'INTERNAL_ERROR'
  const details = error.data?.details
  return new PhantomError(code, String(error.message), {
    details: typeof details === 'object' && details !== null ? details : {},
    ...(error.data?.cause === undefined ? {} : { cause: error.data.cause }),
  })
}

/** The text of whatever was thrown, also when it is no Error. Never throws, even on hostile getters. */
export function messageOf(error: unknown): string {
  try {
    if (error instanceof Error) return String(error.message)
    return typeof error === 'string' ? error : `a thrown ${typeof error}: ${String(error)}`
  } catch {
    return 'a thrown value that cannot be shown'
  }
}

function causeChain(cause: unknown): string {
  const parts: string[] = []
  for (
    let at = cause;
    at !== undefined && parts.length < MAX_CAUSES;
    at = at instanceof Error ? at.cause : undefined
  ) {
    parts.push(messageOf(at))
  }
  return parts.join(' < ').slice(0, MAX_MESSAGE_CHARS)
}
