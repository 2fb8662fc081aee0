import fs from 'node:fs'
import { expect } from 'chai'
import { TestDaemon, type World } from '../helpers/daemon.ts'

const WAYS = [
  'evaluate',
  'indirect',
  'function',
  'reflect',
  'async',
  'generator',
  'vm',
  'required',
  'builtin',
  'data',
]

describe('A plugin that makes code from text', () => {
  let daemon: TestDaemon

  before(async () => {
    daemon = await TestDaemon.start({ plugins: ['makes-code'] })
  })
  after(() => daemon.stop())

  for (const way of WAYS) {
    it(`may not, by ${way}`, async () => {
      const error = await daemon.refusal('makes_code', way)
      expect(error.code).to.equal('PERMISSION_DENIED')
      expect(error.message).to.contain('to allow it add eval = true under [runtime]')
    })
  }

  it('finds functions otherwise as they are', async () => {
    expect((await daemon.call('makes_code', 'ordinary')).result).to.deep.equal([true, 'function'])
  })
})

describe('A plugin whose manifest says eval = true', () => {
  let daemon: TestDaemon

  before(async () => {
    daemon = await TestDaemon.start({ plugins: ['makes-code as may_make_code'], prepare: allowEval })
  })
  after(() => daemon.stop())

  for (const way of WAYS) {
    it(`may make code, by ${way}`, async () => {
      expect((await daemon.call('may_make_code', way)).result).to.equal(42)
    })
  }
})

function allowEval(world: World): void {
  fs.appendFileSync(world.path('plugins/may_make_code/plugin.toml'), '\n[runtime]\neval = true\n')
}
