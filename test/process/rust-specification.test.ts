import path from 'node:path'
import { expect } from 'chai'
import { BUILD_TIMEOUT_MS, oldestCargo, openCargo, type Cargo } from '../helpers/cargo.ts'
import { skipBecause } from '../helpers/skip.ts'
import { buildSpecificationModule, buildSpecificationPlugin } from '../helpers/specification-plugin.ts'
import { WasmGuest } from '../helpers/wasm-guest.ts'
import { resultOf, RunnerDriver } from './runner-driver.ts'

const INPUT = { rows: [1, 2] }
const ANSWER = { message: 'Hello from custom plugin!', input_received: INPUT }
const CAPABILITIES = [{ kind: 'data_processing', input_formats: ['json'], output_formats: ['json'] }]

describe("the specification's Rust plugin, verbatim", function () {
  this.timeout(BUILD_TIMEOUT_MS)
  let cargo: Cargo
  let plugin: RunnerDriver | null = null

  before(async function () {
    cargo = await openCargo(this)
  })
  afterEach(() => plugin?.stop())

  it('compiles to a program and answers as it says', async () => {
    const entry = path.join(await buildSpecificationPlugin(cargo), 'main')
    plugin = new RunnerDriver({ runner: null, entry })
    expect(resultOf(await plugin.start()))
      .to.have.property('capabilities')
      .that.deep.equals(CAPABILITIES)
    expect(resultOf(await plugin.execute('anything', INPUT))).to.deep.equal(ANSWER)
  })

  it('compiles to a module and answers as it says', async function () {
    const oldest = oldestCargo()
    if (oldest === null)
      return skipBecause.call(this, "Debian's Rust 1.63 is not there: .scripts/rust-toolchain.sh unpacks it")
    const guest = new WasmGuest(await buildSpecificationModule(cargo.with(oldest)))
    expect(guest.initialize().result).to.have.property('capabilities').that.deep.equals(CAPABILITIES)
    expect(guest.execute('anything', INPUT)).to.deep.equal(ANSWER)
  })
})
