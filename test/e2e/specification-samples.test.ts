import { execFile } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { expect } from 'chai'
import { parse } from 'yaml'
import type { PluginExecutionResult, PluginHealth, PluginLogLine, SystemMetrics } from '../../src/index.ts'

const ROOT = path.join(import.meta.dirname, '../..')
const RESOLVE_CORE = path.join(ROOT, 'test/helpers/resolve-core.mjs')

/**
 * Every JavaScript sample of the specification, by its first words, and whether it runs as it stands. What does not
 * yet says which part it waits for.
 */
const SAMPLES = {
  "import { create_plugin_system } from '@phantom-ml/core'": 'runs',
  '// Execute log analyzer plugin': 'not yet: the built-in log_analyzer',
  '// Execute plugin as part of agent workflow': 'not yet: execute_agent_plugin and security_scanner',
  'const logAnalysis = await': 'not yet: the built-in log_analyzer',
  'const securityScan = await': 'not yet: the built-in security_scanner',
  'const processedData = await': 'runs',
  '// Update plugin configuration': 'runs',
  'const metrics = await': 'runs',
  '// Search marketplace': 'not yet: search_marketplace and install_plugin',
  '// Enable debug logging': 'runs',
} as const

/** What the data processor's sample takes for granted. */
const USER_DATA = [
  { name: 'Ada', age: 36, score: 10 },
  { name: 'Brook', age: 17, score: 99 },
  { name: 'Cem', age: 65, score: 30 },
  { name: 'Dana', age: 18, score: 20 },
]

const MY_PLUGIN = `import { definePlugin } from '@phantom-ml/core/plugin'
export default definePlugin({
  operations: {
    work: (_input, { config, log }) => {
      log.debug(\`a batch of \${config.batch_size}\`)
      return config
    },
  },
})
`

describe('the samples of docs/specification.md', () => {
  const samples = readSamples()
  let folder: string

  before(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-spec-'))
    // The root daemon's plugins run under other users: the way to their files is open.
    fs.chmodSync(folder, 0o755)
    fs.mkdirSync(path.join(folder, 'plugins/my_plugin'), { recursive: true })
    fs.writeFileSync(path.join(folder, 'plugins/my_plugin/plugin.toml'), readManifest())
    fs.writeFileSync(path.join(folder, 'plugins/my_plugin/index.js'), MY_PLUGIN)
  })

  afterEach(() => fs.rmSync(path.join(folder, '.phantom'), { recursive: true, force: true }))

  after(() => fs.rmSync(folder, { recursive: true, force: true }))

  it('are all listed here, each as running or with what it waits for', () => {
    const listed = Object.keys(SAMPLES)
    expect(samples.map((sample) => listed.filter((words) => sample.startsWith(words)).length)).to.deep.equal(
      samples.map(() => 1),
    )
    expect(samples).to.have.length(listed.length)
  })

  it('Quick Start 1 runs as it stands, lists the built-in plugin, and ends by itself', async () => {
    const printed = await run(sampleOf('import { create_plugin_system }'))
    expect(printed).to.contain('Available plugins:').and.to.contain("id: 'data_processor'")
  })

  it('the data processor sample runs as it stands on its userData', async () => {
    const printed = await run(
      `${opening()}
       const userData = ${JSON.stringify(USER_DATA)}
       ${sampleOf('const processedData = await')}
       console.log(JSON.stringify(processedData))`,
    )
    const { success, result } = JSON.parse(printed) as PluginExecutionResult<{
      data: object[]
      analysis: object[]
    }>
    expect(success).to.equal(true)
    expect(result!.data).to.deep.equal([
      { name: 'Ada', age: 36, score: 0 },
      { name: 'Cem', age: 65, score: 1 },
      { name: 'Dana', age: 18, score: 0.5 },
    ])
    expect(result!.analysis[0]).to.deep.include({
      field: 'score',
      count: 3,
      mean: 0.5,
      sd: 0.5,
      min: 0,
      max: 1,
    })
  })

  it('the configuration sample runs as it stands, and what it writes acts', async () => {
    const printed = await run(
      `import { create_sample_plugin_config } from '@phantom-ml/core'
       ${opening()}
       ${sampleOf('// Update plugin configuration')}
       const { result } = await pluginSystem.execute_plugin('my_plugin', 'work')
       const path = (await pluginSystem.get_plugin_config('my_plugin')).path
       console.log(JSON.stringify({ config, result, path }))`,
    )
    const said = JSON.parse(printed) as { config: object; result: object; path: string }
    expect(said.config).to.deep.equal({
      enabled: true,
      log_level: 'info',
      verbose: false,
      batch_size: 100,
      environments: { development: {}, production: { debug: false, batch_size: 1000 }, test: {} },
    })
    const written = { enabled: true, log_level: 'debug', batch_size: 50 }
    expect(said.result).to.deep.equal(written)
    expect(parse(fs.readFileSync(said.path, 'utf8'))).to.deep.equal(written)
  })

  it('the debug mode sample runs as it stands, and what it asks for comes into the log', async () => {
    const printed = await run(
      `import { create_plugin_system } from '@phantom-ml/core'
       ${sampleOf('// Enable debug logging')}
       await pluginSystem.execute_plugin('my_plugin', 'work')
       const lines = await pluginSystem.get_plugin_logs({ plugin_id: 'my_plugin' })
       console.log(JSON.stringify(lines.filter(({ level }) => level === 'debug')))`,
    )
    const [own, call] = JSON.parse(printed) as PluginLogLine[]
    expect(own).to.deep.include({ source: 'log', message: 'a batch of 100' })
    expect(call?.message).to.match(/^work succeeded after [\d.]+ ms$/)
  })

  it('the metrics and health samples run as they stand', async () => {
    const printed = await run(
      `${opening()}
       await pluginSystem.execute_plugin('my_plugin', 'work')
       ${sampleOf('const metrics = await')}
       console.log(JSON.stringify({ metrics, health }))`,
    )
    expect(printed).to.contain('System metrics: {').and.to.contain('Plugin health: {')
    const { metrics, health } = JSON.parse(printed.trim().split('\n').at(-1)!) as {
      metrics: SystemMetrics
      health: PluginHealth
    }
    expect(metrics.calls).to.include({ total: 1, succeeded: 1, success_rate: 1 })
    expect(health).to.include({ plugin_id: 'my_plugin', status: 'healthy', restarts: 0 })
    expect(health.calls).to.include({ total: 1, success_rate: 1, error_rate: 0 })
    expect(health.calls.times?.mean_ms).to.be.above(0)
    expect(health.memory_bytes).to.be.above(0)
    expect(health.uptime_ms).to.be.above(0)
  })

  /** Quick Start 1 without what it prints. */
  function opening(): string {
    return sampleOf('import { create_plugin_system }').replace(/console\.log.*/, '')
  }

  function sampleOf(words: string): string {
    return samples.find((sample) => sample.startsWith(words))!
  }

  /** In a process of its own, whose working directory has a `plugins` folder with `my_plugin`, and nothing else. */
  async function run(source: string): Promise<string> {
    const file = path.join(folder, 'sample.mjs')
    fs.writeFileSync(file, source)
    const { stdout } = await promisify(execFile)(process.execPath, ['--import', RESOLVE_CORE, file], {
      cwd: folder,
    })
    return stdout
  }
})

/** The specification's own, of a plugin that runs here. */
function readManifest(): string {
  const [, manifest] = /```toml\n([\s\S]*?)```/.exec(readSpecification())!
  return manifest!
    .replace('"my_custom_plugin"', '"my_plugin"')
    .replace('type = "native"', 'type = "javascript"')
    .replace('entry_point = "main"', 'entry_point = "index.js"')
}

function readSpecification(): string {
  return fs.readFileSync(path.join(ROOT, 'docs/specification.md'), 'utf8')
}

function readSamples(): string[] {
  const text = readSpecification()
  return [...text.matchAll(/```javascript\n([\s\S]*?)```/g)].map((match) => match[1]!.trim())
}
