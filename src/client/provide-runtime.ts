/** A Node for the daemon, fetched where the machine has none that will do. The launcher carries it: it stays light. */
import { lookForRuntime, runtimeNotFound, type FoundRuntime } from './find-runtime.ts'
import { PINNED_VERSION } from './runtime/pinned-runtime.ts'
import type { FetchOptions } from './runtime/fetch-runtime.ts'

interface ProvideOptions extends FetchOptions {
  /** A person asked for it: then no variable forbids it. */
  isAsked?: boolean
}

/** @throws PhantomError RUNTIME_NOT_FOUND */
export async function provideRuntime(options: ProvideOptions = {}): Promise<FoundRuntime> {
  const found = await lookForRuntime()
  if (!('looked' in found)) return found
  if (options.isAsked !== true && !mayFetch()) throw runtimeNotFound(found.looked)
  const { fetchRuntime } = await import('./runtime/fetch-runtime.ts')
  return { ...(await fetchRuntime(options)), source: 'private_copy' }
}

/** As above, for an application: it gets a word about what takes a minute, by the way of Node's own warnings. */
export async function provideRuntimeQuietly(): Promise<FoundRuntime> {
  let isTold = false
  const onProgress = (): void => {
    if (isTold) return
    isTold = true
    process.emitWarning(
      `fetching Node ${PINNED_VERSION} for the plugin system, once; PHANTOM_FETCH_RUNTIME=false forbids it`,
      {
        type: 'PhantomRuntime',
      },
    )
  }
  return await provideRuntime({ onProgress })
}

/** `PHANTOM_FETCH_RUNTIME`: whatever is not `true` forbids. What a person asks for by `phantom setup` is not in question. */
function mayFetch(): boolean {
  const said = process.env['PHANTOM_FETCH_RUNTIME'] ?? ''
  return said === '' || said === 'true'
}
