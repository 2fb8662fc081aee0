import { PROBES } from '../../src/cli/selftest/catalogue.ts'
import { testProbes } from '../helpers/probe-tests.ts'

describe('A hostile plugin in tier process gets what docs/security.md says, and nothing else, when it', function () {
  this.timeout(60_000)
  testProbes(PROBES, 'process')
})
