import { WASI_FUNCTIONS, WASI_MODULE } from '../../../src/contract/wasm/abi.ts'
import { AccessDenied, type DeniedPermission } from './access-denied.ts'
import { descriptorFunctions } from './descriptor-functions.ts'
import { Descriptors } from './descriptors.ts'
import { ERRNO, errnoOf } from './errno.ts'
import { Grants, type Grant, type OnReached } from './grants.ts'
import { WasiMemory } from './wasi-memory.ts'
import { OutputLines } from './output-lines.ts'
import { pathFunctions } from './path-functions.ts'
import { pollFunction, type Sleep } from './poll.ts'
import { processFunctions } from './process-functions.ts'
import { WholeFiles } from './whole-files.ts'

export interface WasiOptions {
  /** All that there is of an environment. */
  readonly env: Readonly<Record<string, string>>
  readonly args: readonly string[]
  readonly grants: readonly Grant[]
  /** What relative paths mean; granted only where a grant says so. */
  readonly workspace: string
  readonly onLine: (stream: 'stdout' | 'stderr', line: string) => void
  /** In the words of Node's permission model. */
  readonly onDenied: (permission: DeniedPermission, resource: string) => void
  /** Absent: nobody wants to know of what was granted and is used. */
  readonly onReached?: OnReached | undefined
  /** Ends after that time; it rejects where the call that sleeps is cancelled. */
  readonly sleep: Sleep
}

export interface Wasi {
  /** For `WebAssembly.instantiate`: every function of preview 1. `poll_oneoff` suspends the module while it sleeps. */
  readonly imports: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  readonly files: Pick<WholeFiles, 'read' | 'write'>
  /** What ended the module inside of one of these functions, whether or not code of the module caught it; null until then. */
  readonly ended: Error | null
  /** What is printed from now on by whoever runs it has somewhere to come from. */
  bind(memory: { readonly buffer: ArrayBuffer }): void
  /** Gives out what was printed without an end of line. */
  flush(): void
  close(): void
}

/** Not served, to nobody: there is nothing of the kind here. */
const UNSUPPORTED = [
  'fd_allocate',
  'fd_fdstat_set_rights',
  'path_link',
  'proc_raise',
  'sock_accept',
  'sock_recv',
  'sock_send',
  'sock_shutdown',
] as const

type Served = Readonly<Record<string, (...args: never[]) => unknown>>

/**
 * Our own `wasi_snapshot_preview1`, closed but for what is handed in. What each function answers stands in docs/wasi.md.
 *
 * @throws the system's error where the grants can't be opened
 */
export function createWasi(options: WasiOptions): Wasi {
  const memory = new WasiMemory()
  const lines = {
    stdout: new OutputLines((line) => options.onLine('stdout', line)),
    stderr: new OutputLines((line) => options.onLine('stderr', line)),
  }
  const grants = new Grants(options.grants, options)
  const descriptors = new Descriptors(lines)
  const files = new WholeFiles(grants, options.workspace)
  const poll = pollFunction(memory, descriptors, options.sleep)
  const served: Served = {
    ...processFunctions(memory, options),
    ...descriptorFunctions(memory, descriptors),
    ...pathFunctions(memory, { descriptors, grants }),
    ...Object.fromEntries(UNSUPPORTED.map((name) => [name, () => ERRNO.notsup])),
  }
  let ended: Error | null = null
  const answer = (run: () => unknown): unknown => {
    try {
      return answered(run, options.onDenied)
    } catch (error) {
      ended ??= error as Error
      throw error
    }
  }
  const imports: Record<string, unknown> = {
    poll_oneoff: new WebAssembly.Suspending((...args: Parameters<typeof poll>) =>
      answer(() => poll(...args)),
    ),
  }
  for (const name of Object.keys(WASI_FUNCTIONS)) {
    const run = served[name]
    if (run !== undefined) imports[name] = (...args: never[]) => answer(() => run(...args))
  }
  return {
    imports: { [WASI_MODULE]: imports },
    files: {
      read: (path, maxBytes) => told(() => files.read(path, maxBytes), options.onDenied),
      write: (path, data, how) => told(() => files.write(path, data, how), options.onDenied),
    },
    get ended() {
      return ended
    },
    bind: (bound) => memory.bind(bound),
    flush() {
      lines.stdout.flush()
      lines.stderr.flush()
    },
    close() {
      descriptors.closeAll()
      grants.close()
    },
  }
}

/** The number that a function of WASI answers with. What is no error of the system's is not caught: it ends the module. */
function answered(run: () => unknown, onDenied: WasiOptions['onDenied']): unknown {
  try {
    const result = run()
    return result instanceof Promise
      ? result.then(
          () => ERRNO.success,
          // The call that slept was cancelled; the module goes on, and hears of it by the host call.
          () => ERRNO.intr,
        )
      : typeof result === 'number'
        ? result
        : ERRNO.success
  } catch (error) {
    if (error instanceof AccessDenied) onDenied(error.permission, error.resource)
    const errno = errnoOf(error)
    if (errno === null) throw error
    return ERRNO[errno]
  }
}

function told<Result>(run: () => Result, onDenied: WasiOptions['onDenied']): Result {
  try {
    return run()
  } catch (error) {
    if (error instanceof AccessDenied) onDenied(error.permission, error.resource)
    throw error
  }
}
