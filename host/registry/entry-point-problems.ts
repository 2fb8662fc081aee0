import type { Problem } from '../../src/contract/manifest/issue-list.ts'
import type { PluginType } from '../../src/contract/life.ts'
import { MAX_MODULE_BYTES, MAX_TABLE_ELEMENTS, WASM_PAGE_BYTES } from '../../src/contract/wasm/abi.ts'
import { inspectModule } from '../../src/contract/wasm/inspect-module.ts'
import { inspectExecutable } from '../native/executable.ts'
import { ExecutableError } from '../native/executable-error.ts'
import { nativeMachine } from '../native/machine-names.ts'
import { insideFileProblem, readInside } from './read-inside.ts'

const BYTES_PER_MB = 1024 * 1024

const NAME_IT = 'Name the file that the plugin starts from, relative to its folder'
const BUILD_IT = 'Build the module, or name the one that the plugin starts from, relative to its folder'
const PUT_IT = `Put the module itself there, of at most ${MAX_MODULE_BYTES / BYTES_PER_MB} MiB: built without debug information, its data beside it as files`

/** All that is wrong with the file that a plugin starts from, before anything of it runs. `directory` is a real path. */
export async function entryPointProblems(
  directory: string,
  path: string,
  manifest: {
    readonly type: PluginType
    /** Null where the rest of the manifest does not say it. */
    readonly maxMemoryMb: number | null
  },
): Promise<readonly Problem[]> {
  const found = await problemsOf(directory, path, manifest)
  return found.map(({ problem, remedy }) => ({ problem: `${JSON.stringify(path)}: ${problem}`, remedy }))
}

async function problemsOf(
  directory: string,
  path: string,
  { type, maxMemoryMb }: Parameters<typeof entryPointProblems>[2],
): Promise<readonly Problem[]> {
  switch (type) {
    case 'native':
      return await executableProblems(directory, path)
    case 'wasm':
      return await moduleProblems(directory, path, maxMemoryMb)
    case 'javascript': {
      const problem = await insideFileProblem(directory, path)
      return problem === null ? [] : [{ problem, remedy: NAME_IT }]
    }
  }
}

/** One at a time: a module is read whole, and there may be many plugins. */
let moduleTurn: Promise<unknown> = Promise.resolve()

function moduleProblems(
  directory: string,
  path: string,
  maxMemoryMb: number | null,
): Promise<readonly Problem[]> {
  const problems = moduleTurn.then(() => readModuleProblems(directory, path, maxMemoryMb))
  // Whoever waits for it hears of a failure; the next one's turn comes in any case.
  moduleTurn = problems.catch(() => undefined)
  return problems
}

async function readModuleProblems(
  directory: string,
  path: string,
  maxMemoryMb: number | null,
): Promise<readonly Problem[]> {
  const read = await readInside(directory, path, MAX_MODULE_BYTES)
  if ('error' in read) return [{ problem: read.error, remedy: read.isMissing ? BUILD_IT : PUT_IT }]
  const maxMemoryPages = maxMemoryMb === null ? Infinity : (maxMemoryMb * BYTES_PER_MB) / WASM_PAGE_BYTES
  return inspectModule(read.bytes, { maxMemoryPages, maxTableElements: MAX_TABLE_ELEMENTS }).problems
}

async function executableProblems(directory: string, path: string): Promise<readonly Problem[]> {
  const machine = nativeMachine()
  // No sandbox is made for such a machine, and its start says so.
  if (machine === null) return []
  try {
    await inspectExecutable({ path: directory, inside: directory }, path, machine)
    return []
  } catch (error) {
    if (!(error instanceof ExecutableError)) throw error
    return [{ problem: error.message, remedy: error.remedy }]
  }
}
