import type { WireError } from '../../src/contract/phantom-error.ts'
import { RUNNER_ERRORS } from '../../src/contract/runner-methods.ts'
import { runnerError } from '../runner-error.ts'

/** How libraries word WASI's ENOTCAPABLE: wasi-libc, Rust's standard library, and by its name. */
const WORDS = /capabilities insufficient|\bos error 76\b|\bENOTCAPABLE\b/i

/**
 * What WASI refused in the call that runs. All that a module learns of it is a number, so a failure that it passes on
 * no longer says what it was about; here that is put back.
 */
export class RefusedAccess {
  #last: { readonly permission: string; readonly resource: string } | null = null

  /** A call begins. */
  forget(): void {
    this.#last = null
  }

  add(permission: string, resource: string): void {
    this.#last = { permission, resource }
  }

  /** A failure in those words is the denial that it tells of. */
  explain(error: WireError): WireError {
    if (this.#last === null || error.code !== RUNNER_ERRORS.fault || !WORDS.test(error.message)) return error
    return runnerError('access_denied', error.message, { ...this.#last, code: 'ERR_ACCESS_DENIED' })
  }
}
