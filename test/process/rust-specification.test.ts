import path from 'node:path'
import { expect } from 'chai'
import { BUILD_TIMEOUT_MS, openCargo } from '../helpers/cargo.ts'
import { buildSpecificationPlugin } from '../helpers/specification-plugin.ts'
import { resultOf, RunnerDriver } from './runner-driver.ts'

describe("the specification's Rust plugin", () => {
  let entry: string
  let plugin: RunnerDriver | null = null

  before(async function () {
    const cargo = await openCargo(this)
    this.timeout(BUILD_TIMEOUT_MS)
    entry = path.join(await buildSpecificationPlugin(cargo), 'main')
  })
  afterEach(() => plugin?.stop())

  it('compiles verbatim and answers as it says', async () => {
    plugin = new RunnerDriver({ runner: null, entry })
    const { capabilities } = resultOf(await plugin.start()) as { capabilities: unknown }
    expect(capabilities).to.deep.equal([
      { kind: 'data_processing', input_formats: ['json'], output_formats: ['json'] },
    ])
    const answer = await plugin.execute('anything', { rows: [1, 2] })
    expect(resultOf(answer)).to.deep.equal({
      message: 'Hello from custom plugin!',
      input_received: { rows: [1, 2] },
    })
  })
})
