import { Ajv } from 'ajv'
import { expect } from 'chai'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { parse } from 'smol-toml'
import { runPipeline } from '../../../../plugins/data_processor/run-pipeline.ts'
import { filter, statistics, transform } from './naive-pipeline.ts'

const FOLDER = new URL('../../../../plugins/data_processor/', import.meta.url)

function read(path: string): string {
  return readFileSync(new URL(path, FOLDER), 'utf8')
}

const ROWS = [{ a: 1, b: 1, c: null }, { a: 2, b: 2 }, { a: 3, b: 2, c: 'x' }, { a: 4 }]

interface Declared {
  permissions: { permissions: string[] }
  runtime: { eval: boolean }
  dependencies: Record<string, string>
  operations: { name: string; input_schema: string; output_schema: string }[]
}

const manifest = parse(read('plugin.toml')) as unknown as Declared
const operation = manifest.operations[0]!

/** Code blocks of the README, by language. */
function blocks(language: string): string[] {
  return [...read('README.md').matchAll(new RegExp(`\`\`\`${language}\n([^]*?)\`\`\``, 'g'))].map(
    (match) => match[1]!,
  )
}

describe('plugin.toml of the data processor', () => {
  it('asks for no permission and no eval', () => {
    expect(manifest.permissions.permissions).to.deep.equal([])
    expect(manifest.runtime.eval).to.equal(false)
  })

  it('names the arquero that is installed', () => {
    const installed = JSON.parse(read('../../node_modules/arquero/package.json')) as { version: string }
    expect(manifest.dependencies).to.deep.equal({ arquero: installed.version })
  })

  it('needs no eval, indeed: the pipeline runs where code from strings is forbidden', () => {
    const script = `
      const { runPipeline } = await import(${JSON.stringify(new URL('run-pipeline.ts', FOLDER).href)})
      try { Function('return 1')(); process.exit(3) } catch {}
      const pipeline = ${JSON.stringify(everyOperation())}
      console.log((await runPipeline({ data: ${JSON.stringify(ROWS)}, pipeline })).row_count)`
    const flags = ['--disallow-code-generation-from-strings', '--input-type=module', '-e', script]
    const { status, stdout, stderr } = spawnSync(process.execPath, flags, { encoding: 'utf8' })
    expect({ status, stdout, stderr }).to.deep.equal({ status: 0, stdout: '2\n', stderr: '' })
  })
})

describe('schemas of process_pipeline', () => {
  const ajv = new Ajv({ strict: true, allowUnionTypes: true, allErrors: true })
  const isInput = ajv.compile(JSON.parse(read(operation.input_schema)) as object)
  const isResult = ajv.compile(JSON.parse(read(operation.output_schema)) as object)

  it('accept every operation and what it gives', async () => {
    const input = { data: ROWS, pipeline: everyOperation() }
    expect(isInput(input), JSON.stringify(isInput.errors)).to.equal(true)
    const result: unknown = JSON.parse(JSON.stringify(await runPipeline(input)))
    expect(isResult(result), JSON.stringify(isResult.errors)).to.equal(true)
  })

  it('accept the result of no rows', async () => {
    const result = await runPipeline({ data: [], pipeline: [statistics('a')] })
    expect(isResult(result), JSON.stringify(isResult.errors)).to.equal(true)
  })

  it('refuse another shape', () => {
    const step = statistics('a')
    for (const input of [
      {},
      { data: [] },
      { data: [1], pipeline: [] },
      { data: [], pipeline: [], more: 1 },
      { data: [], pipeline: [{ ...step, operation_type: 'Reduce' }] },
      { data: [], pipeline: [{ ...step, operation_name: 'sum' }] },
      { data: [], pipeline: [{ ...step, more: 1 }] },
    ]) {
      expect(isInput(input), JSON.stringify(input)).to.equal(false)
    }
  })

  it('describe the parameters that the operations know, no more and no fewer', () => {
    const schema = JSON.parse(read(operation.input_schema)) as {
      properties: { pipeline: { items: { properties: { parameters: { properties: object } } } } }
    }
    const described = Object.keys(schema.properties.pipeline.items.properties.parameters.properties)
    const used = everyOperation().flatMap(({ parameters }) => Object.keys(parameters))
    expect(described.toSorted()).to.deep.equal([...new Set(used)].toSorted())
  })
})

describe('README of the data processor', () => {
  it('shows what its sample really gives', async () => {
    const [rows, result] = blocks('json').map((block) => JSON.parse(block) as unknown)
    const call = blocks('javascript')[0]!
    const pipeline = call.slice(call.indexOf('pipeline: ') + 'pipeline: '.length, call.lastIndexOf(']') + 1)
    const json = pipeline.replaceAll(/(\w+): /g, '"$1": ')
    expect(await runPipeline({ data: rows, pipeline: JSON.parse(json) as unknown })).to.deep.equal(result)
  })
})

function everyOperation() {
  return [
    filter('range', { field: 'a', min: 0, max: 3 }),
    filter('in', { field: 'b', values: [1, 2] }),
    filter('equals', { field: 'c', value: null }),
    transform('normalize', { field: 'a', method: 'z_score', output_field: 'z' }),
    transform('rename', { from: 'z', to: 'score' }),
    statistics('score'),
  ]
}
