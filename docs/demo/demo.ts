/**
 * `npm run demo`: what the system does, on real input, in half a minute. A private daemon starts, runs plugins in
 * their sandboxes, and is gone at the end.
 */
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { create_plugin_system, isPhantomError, type PluginSystemApi } from '../../src/index.ts'
import { printFigures, printHeading, printRows, say } from './print.ts'
import { showReload } from './show-reload.ts'

const here = dirname(fileURLToPath(import.meta.url))

interface PipelineResult {
  row_count: number
  data: Record<string, unknown>[]
  analysis: Record<string, unknown>[]
}

const folder = mkdtempSync(join(tmpdir(), 'phantom-demo-'))
try {
  await demonstrate()
} finally {
  rmSync(folder, { recursive: true, force: true })
}

async function demonstrate(): Promise<void> {
  const pluginDirectory = join(folder, 'plugins')
  cpSync(join(here, 'plugins'), pluginDirectory, { recursive: true })
  printHeading('1. A private daemon starts')
  const system = await create_plugin_system(pluginDirectory, 'development', { workspace: folder })
  const status = await system.get_status()
  printFigures({
    daemon: `process ${status.pid}, ${status.runtime}, uid ${status.uid}`,
    plugins: (await system.list_plugins()).map((plugin) => plugin.id).join(', '),
    isolation: `tier ${status.tier}`,
  })
  await showPipeline(system)
  await showDenial(system)
  await showDeadline(system)
  await showReload(system, pluginDirectory)
  await end(system, status.pid)
}

async function showPipeline(system: PluginSystemApi): Promise<void> {
  printHeading('2. The data processor runs a pipeline over a real data set (vega-datasets, cars.json)')
  const cars = JSON.parse(
    readFileSync(join(here, '../../node_modules/vega-datasets/data/cars.json'), 'utf8'),
  ) as object[]
  const result = await system.execute_plugin<PipelineResult>('data_processor', 'process_pipeline', {
    data: cars,
    pipeline: [
      {
        operation_type: 'Filter',
        operation_name: 'range',
        parameters: { field: 'Horsepower', min: 100, max: 150 },
      },
      {
        operation_type: 'Transform',
        operation_name: 'normalize',
        parameters: { field: 'Weight_in_lbs', output_field: 'weight_0_to_1' },
      },
      {
        operation_type: 'Analyze',
        operation_name: 'statistics',
        parameters: { field: 'Miles_per_Gallon' },
      },
    ],
  })
  const { data, row_count: rowCount, analysis } = result.result!
  say(
    `${cars.length} cars in, ${rowCount} with 100 to 150 horsepower out, ${result.execution_time_ms.toFixed(0)} ms with start-up:`,
  )
  printRows(data.slice(0, 5), ['Name', 'Horsepower', 'Weight_in_lbs', 'weight_0_to_1', 'Miles_per_Gallon'])
  say('Miles per gallon of these:')
  printRows(analysis, ['count', 'missing', 'mean', 'sd', 'min', 'q1', 'median', 'q3', 'max'])
  await showProcess(system, 'data_processor')
}

async function showProcess(system: PluginSystemApi, id: string): Promise<void> {
  const info = await system.get_plugin_info(id)
  const instance = info.instances[0]!
  say('It ran here:')
  printFigures({
    process: `${instance.pid}, ready ${instance.ready_ms!.toFixed(0)} ms after its spawn`,
    uid: String(instance.uid),
    isolation: `tier ${instance.tier}`,
    proven: `${instance.attestation?.holding ?? 0} things read back from the kernel or tried in vain before its code ran ("phantom verify ${id}")`,
    rights:
      info.permissions.map((permission) => permission.declared).join(', ') || 'none asked, none granted',
    limits: info.limits
      .flatMap(({ name, effective, mechanism }) =>
        effective === null || mechanism === null ? [] : `${name} ${effective} (${mechanism})`,
      )
      .join('; '),
  })
}

async function showDenial(system: PluginSystemApi): Promise<void> {
  printHeading('3. A plugin tries to read /etc/passwd')
  try {
    const result = await system.execute_plugin('curious', 'read_file', { path: '/etc/passwd' })
    say(
      result.success
        ? 'It read the file. That is a defect: please report it.'
        : `It could not: ${result.error}`,
    )
    process.exitCode = result.success ? 1 : 0
  } catch (error) {
    if (!isPhantomError(error)) throw error
    say(`${error.code}: ${error.message}`)
  }
}

async function showDeadline(system: PluginSystemApi): Promise<void> {
  printHeading('4. A plugin never gives its thread back; another one goes on answering')
  const spinning = system.execute_plugin('stubborn', 'spin').catch((error: unknown) => error)
  const spin = { isOver: false }
  void spinning.then(() => (spin.isOver = true))
  let answered = 0
  let slowestMs = 0
  while (!spin.isOver) {
    const { execution_time_ms: ms } = await system.execute_plugin('data_processor', 'process_pipeline', {
      data: [{ n: answered }],
      pipeline: [],
    })
    answered += 1
    slowestMs = Math.max(slowestMs, ms)
  }
  const error = await spinning
  if (!isPhantomError(error)) throw new Error('the endless call ended by itself')
  say(`${error.code}: ${error.message}`)
  say(`Meanwhile the data processor answered ${answered} calls, the slowest in ${slowestMs.toFixed(1)} ms.`)
  const { last_exit: exit } = await system.get_plugin_info('stubborn')
  if (exit !== null) say(`The stubborn process was ended: ${exit.message}.`)
}

async function end(system: PluginSystemApi, daemonPid: number): Promise<void> {
  printHeading('8. The application leaves; daemon and plugins are gone')
  await system.shutdown()
  const isGone = !existsSync(`/proc/${daemonPid}`)
  say(
    isGone
      ? `Process ${daemonPid} has ended, and every runner with it.`
      : `Process ${daemonPid} still runs: a defect.`,
  )
  if (!isGone) process.exitCode = 1
}
