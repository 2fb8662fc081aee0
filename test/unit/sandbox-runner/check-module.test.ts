import { expect } from 'chai'
import { MAX_TABLE_ELEMENTS } from '../../../src/contract/wasm/abi.ts'
import { checkModule } from '../../../sandbox-runner/wasm/check-module.ts'
import { StartRefused } from '../../../sandbox-runner/start-refused.ts'
import { pluginModule } from '../../helpers/wasm-module.ts'

const LIMITS = { maxMemoryPages: 16, maxTableElements: MAX_TABLE_ELEMENTS }

describe('checkModule()', () => {
  it('gives what is known of a module that keeps to the rules', () => {
    expect(checkModule(pluginModule({ imports: ['phantom:host/v1 call ii>I'] }), LIMITS)).to.deep.equal({
      imports: ['phantom:host/v1.call'],
      memory: { min: 1, max: null },
      hasInitialize: false,
    })
  })

  it('refuses the start with all that is wrong, in words', () => {
    const bytes = pluginModule({ imports: ['env now >I'], memoryPages: 17 })
    expect(() => checkModule(bytes, LIMITS)).to.throw(
      StartRefused,
      /^its module is not loaded: it imports "env\.now" \(function\)\. .*; its memory begins with 2 MB, and the limit is 1\./,
    )
  })
})
