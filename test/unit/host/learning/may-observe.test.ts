import { expect } from 'chai'
import { assertMayObserve } from '../../../../host/learning/may-observe.ts'
import { isPhantomError } from '../../../../src/contract/phantom-error.ts'

const NAMESPACE = { tier: 'namespace', reasonNoNamespace: null } as const
const PROCESS = { tier: 'process', reasonNoNamespace: 'bubblewrap is not installed' } as const

describe('assertMayObserve()', () => {
  it('lets development observe behind namespaces, and everybody enforce', () => {
    assertMayObserve('observe', 'development', NAMESPACE)
    for (const environment of ['development', 'production', 'mine']) {
      assertMayObserve('enforce', environment, PROCESS)
    }
  })

  it('refuses every other environment in words', () => {
    for (const environment of ['production', 'test', 'Development', 'dev', '']) {
      expect(refusal(environment, NAMESPACE)).to.deep.include({ code: 'CONFIG_INVALID' })
    }
  })

  it('refuses a machine where nothing else would hold a plugin', () => {
    const error = refusal('development', PROCESS)
    expect(error).to.deep.include({ code: 'SANDBOX_UNAVAILABLE' })
    expect(error?.message).to.contain('bubblewrap is not installed').and.to.contain('phantom doctor')
  })
})

function refusal(environment: string, machine: typeof NAMESPACE | typeof PROCESS) {
  try {
    assertMayObserve('observe', environment, machine)
  } catch (error) {
    if (isPhantomError(error)) return error
    throw error
  }
  return null
}
