import type { ErrorDetails } from '../../src/contract/phantom-error.ts'

/** What passes between the daemon and the thread that copies. */
export interface SnapshotTask {
  readonly directory: string
  readonly cacheDirectory: string
  readonly isTypeScript: boolean
}

export interface Snapshot {
  /** The copy that stands in the plugin's place; null where the folder is too large and runs as it is. */
  readonly directory: string | null
  readonly digest: string
  /** When a file of it changed last, on the wall clock. */
  readonly changedAtMs: number
  /** Why there is no copy, in words. */
  readonly notice: string | null
}

export type SnapshotMessage =
  | { readonly kind: 'drafts'; readonly draft: string }
  | { readonly kind: 'strips'; readonly path: string }
  | { readonly kind: 'taken'; readonly snapshot: Snapshot }
  | {
      readonly kind: 'failed'
      readonly message: string
      readonly details: ErrorDetails
      readonly cause: SystemCause
    }

/** An error's own properties do not pass between threads. */
interface SystemCause {
  readonly message: string
  readonly code: string | null
}
