import { readFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { answerNetworkInterfaces } from './network-interfaces.ts'

const SDK_NAME = '@phantom-ml/core/plugin'
const SDK_FILE = 'sdk.mjs'
const PACKAGE_NAME = '@phantom-ml/core'

/** The module that was read last. Hooks are synchronous: while one is compiled, no other is read. */
let lastLoadedUrl: string | null = null

export function lastLoadedModule(): string | null {
  return lastLoadedUrl
}

/**
 * Gives plugins their SDK, which lies beside the runner, and loads `.ts` files as they stand: the host mounts a
 * copy whose types are stripped and whose names are kept.
 */
export function registerPluginModules(): void {
  const sdkUrl = pathToFileURL(join(dirname(process.argv[1] ?? ''), SDK_FILE)).href
  registerHooks({
    resolve(specifier, context, nextResolve) {
      if (specifier === SDK_NAME) return { url: sdkUrl, format: 'module', shortCircuit: true }
      if (specifier === PACKAGE_NAME) {
        throw new Error(
          `Cannot import "${PACKAGE_NAME}" in a plugin: it is for applications. Import "${SDK_NAME}"`,
        )
      }
      if (specifier === 'node:os' || specifier === 'os') answerNetworkInterfaces()
      return nextResolve(specifier, context)
    },
    load(url, context, nextLoad) {
      lastLoadedUrl = url
      // Left to Node, the SDK is looked at once more to learn what it is: 0.1 ms of every start.
      const format = url === sdkUrl ? 'module' : strippedFormat(url)
      if (format === null) return nextLoad(url, context)
      return { format, source: readFileSync(fileURLToPath(url), 'utf8'), shortCircuit: true }
    },
  })
}

function strippedFormat(url: string): 'module' | 'commonjs' | null {
  if (!url.startsWith('file:')) return null
  if (url.endsWith('.ts') || url.endsWith('.mts')) return 'module'
  return url.endsWith('.cts') ? 'commonjs' : null
}
