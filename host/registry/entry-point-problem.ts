import type { Problem } from '../../src/contract/manifest/issue-list.ts'
import type { PluginType } from '../../src/contract/life.ts'
import { inspectExecutable } from '../native/executable.ts'
import { ExecutableError } from '../native/executable-error.ts'
import { nativeMachine } from '../native/machine-names.ts'
import { insideFileProblem } from './read-inside.ts'

/** What is wrong on disk with the file that a plugin starts from; null when all is well. `directory` is a real path. */
export async function entryPointProblem(
  directory: string,
  path: string,
  type: PluginType,
): Promise<Problem | null> {
  if (type === 'native') return await executableProblem(directory, path)
  const problem = await insideFileProblem(directory, path)
  if (problem === null) return null
  const remedy = 'Name the file that the plugin starts from, relative to its folder'
  return { problem: `${JSON.stringify(path)}: ${problem}`, remedy }
}

async function executableProblem(directory: string, path: string): Promise<Problem | null> {
  const machine = nativeMachine()
  // No sandbox is made for such a machine, and its start says so.
  if (machine === null) return null
  try {
    await inspectExecutable({ path: directory, inside: directory }, path, machine)
    return null
  } catch (error) {
    if (!(error instanceof ExecutableError)) throw error
    return { problem: `${JSON.stringify(path)}: ${error.message}`, remedy: error.remedy }
  }
}
