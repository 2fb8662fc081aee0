import { inspectModule, type ModuleFacts, type ModuleLimits } from '../../src/contract/wasm/inspect-module.ts'
import { StartRefused } from '../start-refused.ts'

/**
 * Holds a module to "phantom-wasm v1" before anything of it is compiled.
 *
 * @throws StartRefused that names all that is wrong
 */
export function checkModule(bytes: Uint8Array, limits: ModuleLimits): ModuleFacts {
  const { facts, problems } = inspectModule(bytes, limits)
  if (facts !== null) return facts
  const words = problems.map(({ problem, remedy }) => `${problem}. ${remedy}`).join('; ')
  throw new StartRefused(`its module is not loaded: ${words}`)
}
