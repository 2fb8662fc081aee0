/**
 * The catalogue of errors. Names are what people read and match on; numbers are the JSON-RPC `code` and part of
 * the wire: add, never renumber, never reuse. Ours lie outside the range that JSON-RPC 2.0 reserves
 * (-32768 to -32000, https://www.jsonrpc.org/specification#error_object); its own five keep its numbers.
 *
 * `retryable` says that the same call may succeed later without anybody changing anything.
 */
interface ErrorSpec {
  readonly rpc: number
  readonly retryable: boolean
}

export const ERROR_CODES = {
  PARSE_ERROR: { rpc: -32700, retryable: false },
  REQUEST_INVALID: { rpc: -32600, retryable: false },
  METHOD_NOT_FOUND: { rpc: -32601, retryable: false },
  PARAMS_INVALID: { rpc: -32602, retryable: false },
  INTERNAL_ERROR: { rpc: -32603, retryable: false },

  PLUGIN_NOT_FOUND: { rpc: -33001, retryable: false },
  PLUGIN_BLOCKED: { rpc: -33002, retryable: false },
  PLUGIN_START_FAILED: { rpc: -33003, retryable: false },
  PLUGIN_START_TIMEOUT: { rpc: -33004, retryable: true },
  PLUGIN_CRASHED: { rpc: -33005, retryable: true },
  PLUGIN_FAULT: { rpc: -33006, retryable: false },
  PLUGIN_RUNTIME_UNAVAILABLE: { rpc: -33007, retryable: false },
  PLUGIN_FAILED: { rpc: -33008, retryable: false },
  PLUGIN_DISABLED: { rpc: -33009, retryable: false },

  OPERATION_NOT_FOUND: { rpc: -33010, retryable: false },
  INPUT_INVALID: { rpc: -33011, retryable: false },
  PAYLOAD_TOO_LARGE: { rpc: -33012, retryable: false },
  MESSAGE_REFUSED: { rpc: -33013, retryable: false },

  CALL_TIMEOUT: { rpc: -33020, retryable: true },
  CALL_CANCELLED: { rpc: -33021, retryable: false },
  LIMIT_EXCEEDED: { rpc: -33022, retryable: false },
  QUEUE_FULL: { rpc: -33023, retryable: true },
  CIRCUIT_OPEN: { rpc: -33024, retryable: true },

  PERMISSION_DENIED: { rpc: -33030, retryable: false },
  WORKSPACE_DENIED: { rpc: -33031, retryable: false },
  SANDBOX_UNAVAILABLE: { rpc: -33032, retryable: false },
  APPROVAL_OUTDATED: { rpc: -33033, retryable: false },

  MANIFEST_INVALID: { rpc: -33040, retryable: false },
  CONFIG_INVALID: { rpc: -33041, retryable: false },
  PLUGIN_DIRECTORY_NOT_FOUND: { rpc: -33042, retryable: false },
  CONFIG_CONFLICT: { rpc: -33043, retryable: true },
  REVISION_NOT_FOUND: { rpc: -33044, retryable: false },
  GENERATION_REJECTED: { rpc: -33045, retryable: false },
  GENERATION_NOT_FOUND: { rpc: -33046, retryable: false },
  DEPENDENCY_UNAVAILABLE: { rpc: -33047, retryable: false },

  DAEMON_UNREACHABLE: { rpc: -33050, retryable: true },
  DAEMON_LOST: { rpc: -33051, retryable: true },
  DAEMON_ALREADY_RUNNING: { rpc: -33052, retryable: false },
  DAEMON_SHUTTING_DOWN: { rpc: -33053, retryable: true },
  RUNTIME_NOT_FOUND: { rpc: -33054, retryable: false },
  VERSION_UNSUPPORTED: { rpc: -33055, retryable: false },
  PROTOCOL_VIOLATION: { rpc: -33056, retryable: false },
  AUDIT_UNAVAILABLE: { rpc: -33057, retryable: true },
} as const satisfies Record<string, ErrorSpec>

export type ErrorCode = keyof typeof ERROR_CODES

const codeByNumber = new Map<number, ErrorCode>(
  Object.entries(ERROR_CODES).map(([code, spec]) => [spec.rpc, code as ErrorCode]),
)

export function errorCodeOfNumber(rpc: number): ErrorCode | undefined {
  return codeByNumber.get(rpc)
}
