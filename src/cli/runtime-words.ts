import { PINNED_VERSION } from '../client/runtime/pinned-runtime.ts'
import { RUNTIME_SOURCES, type RuntimeSource } from '../contract/runtime-source.ts'
import { printableLine } from './printable.ts'

interface DecidedRuntime {
  path: string
  version: string
  /** Absent where a daemon was not told. */
  source?: RuntimeSource | null
}

/** Which Node it is, from where, and whether it is the one that this release is tested with. */
export function runtimeWords({ path, version, source }: DecidedRuntime): string {
  const decided = source == null ? '' : `: ${RUNTIME_SOURCES[source]}`
  const tested = version === PINNED_VERSION ? '' : `; this release is tested with ${PINNED_VERSION}`
  return `Node ${version}, ${printableLine(path)}${decided}${tested}`
}
