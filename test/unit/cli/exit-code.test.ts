import { expect } from 'chai'
import { exitCodeOf } from '../../../src/cli/exit-code.ts'
import { ERROR_CODES, type ErrorCode } from '../../../src/contract/error-codes.ts'
import { PhantomError } from '../../../src/contract/phantom-error.ts'

/** Typed out: scripts match on these. */
const EXPECTED: Record<ErrorCode, number> = {
  PARSE_ERROR: 2,
  REQUEST_INVALID: 70,
  METHOD_NOT_FOUND: 70,
  PARAMS_INVALID: 2,
  INTERNAL_ERROR: 70,
  PLUGIN_NOT_FOUND: 3,
  PLUGIN_BLOCKED: 4,
  PLUGIN_START_FAILED: 6,
  PLUGIN_START_TIMEOUT: 6,
  PLUGIN_CRASHED: 6,
  PLUGIN_FAULT: 1,
  PLUGIN_RUNTIME_UNAVAILABLE: 6,
  PLUGIN_FAILED: 6,
  PLUGIN_DISABLED: 4,
  OPERATION_NOT_FOUND: 3,
  INPUT_INVALID: 8,
  PAYLOAD_TOO_LARGE: 5,
  MESSAGE_REFUSED: 4,
  CALL_TIMEOUT: 5,
  CALL_CANCELLED: 5,
  LIMIT_EXCEEDED: 5,
  QUEUE_FULL: 5,
  CIRCUIT_OPEN: 5,
  PERMISSION_DENIED: 4,
  WORKSPACE_DENIED: 4,
  APPROVAL_OUTDATED: 8,
  SANDBOX_UNAVAILABLE: 4,
  MANIFEST_INVALID: 8,
  CONFIG_INVALID: 8,
  PLUGIN_DIRECTORY_NOT_FOUND: 3,
  CONFIG_CONFLICT: 8,
  REVISION_NOT_FOUND: 3,
  GENERATION_REJECTED: 6,
  GENERATION_NOT_FOUND: 3,
  DEPENDENCY_UNAVAILABLE: 6,
  DAEMON_UNREACHABLE: 7,
  DAEMON_LOST: 7,
  DAEMON_ALREADY_RUNNING: 7,
  DAEMON_SHUTTING_DOWN: 7,
  RUNTIME_NOT_FOUND: 7,
  VERSION_UNSUPPORTED: 7,
  PROTOCOL_VIOLATION: 7,
  AUDIT_UNAVAILABLE: 7,
}

describe('exitCodeOf()', () => {
  it('gives every error code the exit code that is documented', () => {
    const actual = Object.fromEntries(
      Object.keys(ERROR_CODES).map((code) => [code, exitCodeOf(new PhantomError(code as ErrorCode, 'x'))]),
    )
    expect(actual).to.deep.equal(EXPECTED)
  })

  it('calls a missing file or key of the command line "not found", and another mistake in the words wrong usage', () => {
    const missing = new PhantomError('PARAMS_INVALID', 'x', { details: { errno: 'ENOENT' } })
    const folder = new PhantomError('PARAMS_INVALID', 'x', { details: { errno: 'EISDIR' } })
    const key = new PhantomError('PARAMS_INVALID', 'x', { details: { missing_key: 'a.b' } })
    expect([missing, folder, key].map((error) => exitCodeOf(error))).to.deep.equal([3, 2, 3])
  })
})
