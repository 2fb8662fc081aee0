import type { ErrorCode } from '../contract/error-codes.ts'
import { CLI_EXIT_CODES } from '../contract/exit-codes.ts'
import type { PhantomError } from '../contract/phantom-error.ts'

export type CliExitCode = (typeof CLI_EXIT_CODES)[keyof typeof CLI_EXIT_CODES]

/** Complete on purpose: an error code without an exit code does not compile. */
const EXIT_CODE_OF = {
  PARSE_ERROR: CLI_EXIT_CODES.usage,
  REQUEST_INVALID: CLI_EXIT_CODES.internal,
  METHOD_NOT_FOUND: CLI_EXIT_CODES.internal,
  PARAMS_INVALID: CLI_EXIT_CODES.usage,
  INTERNAL_ERROR: CLI_EXIT_CODES.internal,

  PLUGIN_NOT_FOUND: CLI_EXIT_CODES.not_found,
  PLUGIN_BLOCKED: CLI_EXIT_CODES.denied,
  PLUGIN_START_FAILED: CLI_EXIT_CODES.plugin_crashed,
  PLUGIN_START_TIMEOUT: CLI_EXIT_CODES.plugin_crashed,
  PLUGIN_CRASHED: CLI_EXIT_CODES.plugin_crashed,
  PLUGIN_FAULT: CLI_EXIT_CODES.plugin_failed,
  PLUGIN_RUNTIME_UNAVAILABLE: CLI_EXIT_CODES.plugin_crashed,
  PLUGIN_FAILED: CLI_EXIT_CODES.plugin_crashed,
  PLUGIN_DISABLED: CLI_EXIT_CODES.denied,

  OPERATION_NOT_FOUND: CLI_EXIT_CODES.not_found,
  INPUT_INVALID: CLI_EXIT_CODES.invalid,
  PAYLOAD_TOO_LARGE: CLI_EXIT_CODES.limit,
  MESSAGE_REFUSED: CLI_EXIT_CODES.denied,

  CALL_TIMEOUT: CLI_EXIT_CODES.limit,
  CALL_CANCELLED: CLI_EXIT_CODES.limit,
  LIMIT_EXCEEDED: CLI_EXIT_CODES.limit,
  QUEUE_FULL: CLI_EXIT_CODES.limit,
  CIRCUIT_OPEN: CLI_EXIT_CODES.limit,

  PERMISSION_DENIED: CLI_EXIT_CODES.denied,
  WORKSPACE_DENIED: CLI_EXIT_CODES.denied,
  SANDBOX_UNAVAILABLE: CLI_EXIT_CODES.denied,
  APPROVAL_OUTDATED: CLI_EXIT_CODES.invalid,

  MANIFEST_INVALID: CLI_EXIT_CODES.invalid,
  CONFIG_INVALID: CLI_EXIT_CODES.invalid,
  PLUGIN_DIRECTORY_NOT_FOUND: CLI_EXIT_CODES.not_found,
  CONFIG_CONFLICT: CLI_EXIT_CODES.invalid,
  REVISION_NOT_FOUND: CLI_EXIT_CODES.not_found,
  GENERATION_REJECTED: CLI_EXIT_CODES.plugin_crashed,
  GENERATION_NOT_FOUND: CLI_EXIT_CODES.not_found,
  DEPENDENCY_UNAVAILABLE: CLI_EXIT_CODES.plugin_crashed,

  DAEMON_UNREACHABLE: CLI_EXIT_CODES.daemon,
  DAEMON_LOST: CLI_EXIT_CODES.daemon,
  DAEMON_ALREADY_RUNNING: CLI_EXIT_CODES.daemon,
  DAEMON_SHUTTING_DOWN: CLI_EXIT_CODES.daemon,
  RUNTIME_NOT_FOUND: CLI_EXIT_CODES.daemon,
  VERSION_UNSUPPORTED: CLI_EXIT_CODES.daemon,
  PROTOCOL_VIOLATION: CLI_EXIT_CODES.daemon,
  AUDIT_UNAVAILABLE: CLI_EXIT_CODES.daemon,
} as const satisfies Record<ErrorCode, CliExitCode>

/** A file, folder or key on the command line that is not there is "not found", not a mistake in the words. */
export function exitCodeOf(error: PhantomError): CliExitCode {
  const isMissing = error.details['errno'] === 'ENOENT' || 'missing_key' in error.details
  return error.code === 'PARAMS_INVALID' && isMissing ? CLI_EXIT_CODES.not_found : EXIT_CODE_OF[error.code]
}
