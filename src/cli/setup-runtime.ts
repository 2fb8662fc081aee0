/** The runtime's part of `phantom setup`. Runs on Node 20: there may be no other yet. */
import { checkRuntime } from '../client/find-runtime.ts'
import { pinnedPackage } from '../client/runtime/pinned-runtime.ts'
import { choiceFile, removeRuntimes, runtimesFolder, writeChoice } from '../client/runtime/runtime-folder.ts'
import { printJson, printLine } from './output.ts'
import { printableLine } from './printable.ts'

export interface RuntimeStep {
  name: 'runtime'
  ok: boolean
  found: string
  remedy: string | null
}

/** @throws PhantomError RUNTIME_NOT_FOUND: what does not run is not recorded */
export async function chooseRuntime(
  file: string,
  isDryRun: boolean,
): Promise<{ step: RuntimeStep; runtime: { path: string; version: string } }> {
  const runtime = await checkRuntime(file, 'the runtime', 'Name a Node 26 or newer executable')
  if (!isDryRun) await writeChoice(runtime.path)
  const done = isDryRun ? 'would be written' : 'written'
  return { runtime, step: step(`Node ${runtime.version}, ${runtime.path}: ${done} into ${choiceFile()}`) }
}

export async function removalStep(isDryRun: boolean): Promise<RuntimeStep> {
  const removed = await removeRuntimes(isDryRun)
  if (removed.length === 0) return step('nothing of ours is kept: no private copy, no choice')
  return step(`${isDryRun ? 'would remove' : 'removed'} ${removed.join(' and ')}`)
}

export async function printRemoval({ isDryRun, json }: { isDryRun: boolean; json: boolean }): Promise<void> {
  printStep(await removalStep(isDryRun), isDryRun, json)
}

/** @throws PhantomError RUNTIME_NOT_FOUND where there is nothing to fetch */
export function printPlannedFetch(json: boolean): void {
  const { name, version } = pinnedPackage()
  const plan = `none here; would fetch Node ${version} (npm's package ${name}) into ${runtimesFolder()}`
  printStep(step(plan), true, json)
}

function printStep(only: RuntimeStep, isDryRun: boolean, json: boolean): void {
  if (json) printJson({ dry_run: isDryRun, runtime: null, tier: null, steps: [only] })
  else printLine(`✓ ${only.name}: ${printableLine(only.found)}`)
}

function step(found: string): RuntimeStep {
  return { name: 'runtime', ok: true, found, remedy: null }
}
