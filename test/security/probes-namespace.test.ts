import { PROBES } from '../../src/cli/selftest/catalogue.ts'
import { testProbes } from '../helpers/probe-tests.ts'

describe('A hostile plugin in tier namespace gets nothing when it', function () {
  this.timeout(60_000)
  testProbes(PROBES, 'namespace')
})
