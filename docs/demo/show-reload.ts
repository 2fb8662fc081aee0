import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { PluginSystemApi } from '../../src/index.ts'
import { printHeading, printRows, say } from './print.ts'
import { SteadyLoad } from './steady-load.ts'

const PATIENCE_MS = 10_000
const LOOK_MS = 20
/** So many calls before, between and after what happens, for the figures to show something. */
const CALLS_BETWEEN = 300

/** The greeter's code changes under its callers: a good save, a broken one, and the way back. */
export async function showReload(system: PluginSystemApi, pluginDirectory: string): Promise<void> {
  const file = join(pluginDirectory, 'greeter/index.js')
  const source = readFileSync(file, 'utf8')
  await showGoodSave(system, () => writeFileSync(file, source.replace('Hello, ', 'Good evening, ')))
  await showBrokenSave(system, () => writeFileSync(file, source.replace('async greet(', 'async greet((')))
  await showRollback(system)
}

async function showGoodSave(system: PluginSystemApi, save: () => void): Promise<void> {
  printHeading('5. A file of a plugin is saved while 16 calls are always in flight')
  const load = new SteadyLoad(system)
  await until(() => load.answered > CALLS_BETWEEN)
  save()
  await until(() => load.generation === 2)
  const answered = load.answered
  await until(() => load.answered > answered + CALLS_BETWEEN)
  await printLoad(load)
}

async function showBrokenSave(system: PluginSystemApi, save: () => void): Promise<void> {
  printHeading('6. A broken save: the new generation is rejected, the old one goes on')
  const load = new SteadyLoad(system)
  await until(() => load.answered > CALLS_BETWEEN)
  save()
  await until(async () => (await system.get_generations('greeter'))[0]?.state === 'rejected')
  const answered = load.answered
  await until(() => load.answered > answered + CALLS_BETWEEN)
  const [{ generation, failure } = { generation: 0, failure: null }] = await system.get_generations('greeter')
  say(`Generation ${generation} failed at the gate "${failure?.gate}":`)
  say(`  ${failure?.message}`)
  await printLoad(load)
}

async function showRollback(system: PluginSystemApi): Promise<void> {
  printHeading('7. A rollback brings back the files of the first generation, which the daemon has kept')
  const load = new SteadyLoad(system)
  await until(() => load.answered > CALLS_BETWEEN)
  const { generation, duration_ms: ms } = await system.rollback_plugin('greeter')
  const answered = load.answered
  await until(() => load.answered > answered + CALLS_BETWEEN)
  await printLoad(load)
  say(
    `It took ${ms.toFixed(0)} ms until generation ${generation} served. "phantom generations greeter" says:`,
  )
  const generations = await system.get_generations('greeter')
  printRows(
    generations.map((one) => ({ ...one, files: one.kept ? 'kept' : 'gone' })),
    ['generation', 'state', 'cause', 'files'],
  )
}

async function printLoad(load: SteadyLoad): Promise<void> {
  const { sent, answered, answers, lost } = await load.end()
  say(`${sent} calls sent, ${answered} answered, ${lost.length} lost:`)
  for (const [words, count] of answers) say(`${String(count).padStart(6)} times ${words}`)
  if (lost.length === 0 && sent === answered) return
  say(`A call was lost, which is a defect: ${String(lost[0])}`)
  process.exitCode = 1
}

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  const endMs = performance.now() + PATIENCE_MS
  while (!(await isSo())) {
    if (performance.now() > endMs) throw new Error(`nothing happened within ${PATIENCE_MS} ms`)
    await delay(LOOK_MS)
  }
}
