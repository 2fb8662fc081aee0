import { messageOf } from '../../src/contract/phantom-error.ts'
import { MAX_TABLE_ELEMENTS } from '../../src/contract/wasm/abi.ts'
import type { ModuleFacts } from '../../src/contract/wasm/inspect-module.ts'
import { StartRefused } from '../start-refused.ts'
import { checkModule } from './check-module.ts'

export interface CompiledModule {
  readonly module: WebAssembly.Module
  readonly facts: ModuleFacts
}

/** The host starts this process with it, so that V8 holds every memory to it. */
const PAGES_FLAG = /^--wasm-max-mem-pages=(\d+)$/
/** All that 32 bits can address. */
const MOST_PAGES = 65_536

/**
 * Checks a module, then compiles it: its functions only when they are first called, so this takes little more than
 * their check.
 *
 * @throws StartRefused
 */
export function compileModule(bytes: Uint8Array, execArgv: readonly string[]): CompiledModule {
  const facts = checkModule(bytes, {
    maxMemoryPages: maxPagesIn(execArgv),
    maxTableElements: MAX_TABLE_ELEMENTS,
  })
  try {
    return { module: new WebAssembly.Module(bytes), facts }
  } catch (error) {
    throw new StartRefused(`its module is not valid: ${messageOf(error)}`, { cause: error })
  }
}

function maxPagesIn(execArgv: readonly string[]): number {
  const [pages] = execArgv.flatMap((flag) => PAGES_FLAG.exec(flag)?.[1] ?? [])
  return pages === undefined ? MOST_PAGES : Number(pages)
}
