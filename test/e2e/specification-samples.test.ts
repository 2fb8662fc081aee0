import { execFile } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { expect } from 'chai'
import type { PluginExecutionResult } from '../../src/index.ts'

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
  '// Update plugin configuration': 'not yet: update_plugin_config',
  'const metrics = await': 'not yet: get_metrics and get_plugin_health',
  '// Search marketplace': 'not yet: search_marketplace and install_plugin',
  '// Enable debug logging': 'not yet: update_plugin_config',
} as const

/** What the data processor's sample takes for granted. */
const USER_DATA = [
  { name: 'Ada', age: 36, score: 10 },
  { name: 'Brook', age: 17, score: 99 },
  { name: 'Cem', age: 65, score: 30 },
  { name: 'Dana', age: 18, score: 20 },
]

describe('the samples of docs/specification.md', () => {
  const samples = readSamples()
  let folder: string

  before(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-spec-'))
    fs.mkdirSync(path.join(folder, 'plugins'))
  })

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
      `${sampleOf('import { create_plugin_system }').replace(/console\.log.*/, '')}
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

  function sampleOf(words: string): string {
    return samples.find((sample) => sample.startsWith(words))!
  }

  /** In a process of its own, whose working directory has a `plugins` folder and nothing else. */
  async function run(source: string): Promise<string> {
    const file = path.join(folder, 'sample.mjs')
    fs.writeFileSync(file, source)
    const { stdout } = await promisify(execFile)(process.execPath, ['--import', RESOLVE_CORE, file], {
      cwd: folder,
    })
    return stdout
  }
})

function readSamples(): string[] {
  const text = fs.readFileSync(path.join(ROOT, 'docs/specification.md'), 'utf8')
  return [...text.matchAll(/```javascript\n([\s\S]*?)```/g)].map((match) => match[1]!.trim())
}
