import { join } from 'node:path'
import { PhantomError } from '../../src/contract/phantom-error.ts'
import type { Generation } from '../generations/generation.ts'
import { inspectExecutable, type Executable } from '../native/executable.ts'
import { ExecutableError } from '../native/executable-error.ts'
import { nativeMachine } from '../native/machine-names.ts'
import type { OwnProgram } from '../sandbox/plan-runner.ts'

/**
 * Looks at the executable of a native plugin in the copy of its files that will run.
 *
 * @throws PhantomError PLUGIN_START_FAILED, PLUGIN_RUNTIME_UNAVAILABLE
 */
export async function readExecutable({ id, directory, manifest, snapshot }: Generation): Promise<Executable> {
  const machine = nativeMachine()
  if (machine === null) {
    throw new PhantomError(
      'PLUGIN_RUNTIME_UNAVAILABLE',
      `Cannot start "${id}": native plugins run on x86-64 and aarch64, and this machine is ${process.arch}. ` +
        'Use a plugin of another type',
      { details: { plugin_id: id, type: manifest.type } },
    )
  }
  try {
    const own = { path: snapshot ?? directory, inside: directory }
    return await inspectExecutable(own, manifest.entryPoint, machine)
  } catch (error) {
    if (!(error instanceof ExecutableError)) throw error
    throw new PhantomError(
      'PLUGIN_START_FAILED',
      `Cannot start "${id}": its executable ${JSON.stringify(manifest.entryPoint)}: ${error.message}. ${error.remedy}`,
      { cause: error, details: { plugin_id: id, deterministic: true } },
    )
  }
}

/** As a sandbox starts it. */
export function programOf({ directory, manifest }: Generation, executable: Executable): OwnProgram {
  const { before, ...system } = executable
  return { command: [...before, join(directory, manifest.entryPoint)], ...system }
}
