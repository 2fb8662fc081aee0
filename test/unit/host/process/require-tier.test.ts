import { expect } from 'chai'
import type { CgroupTree } from '../../../../host/cgroup/cgroup-tree.ts'
import { requireTier } from '../../../../host/process/require-tier.ts'
import type { Machine } from '../../../../host/sandbox/machine.ts'
import { isPhantomError } from '../../../../src/contract/phantom-error.ts'
import { HEAD, parse } from '../../../helpers/parsed-manifest.ts'

const MACHINE = { tier: 'namespace', reasonNoNamespace: null } as unknown as Machine
const UNHELD = '[permissions]\npermissions = ["process"]\n[resource_limits]\nmax_cpu_percent = 50\n'

describe('requireTier() on max_cpu_percent', () => {
  function start(more: string, options: { required?: 'namespace' | 'process'; hasCgroups?: boolean } = {}) {
    const manifest = parse(HEAD + more).manifest!
    const { required = 'namespace', hasCgroups = false } = options
    const cgroups = hasCgroups ? ({} as CgroupTree) : null
    requireTier(
      { machine: MACHINE, requiredTier: required, onObserved: null, cgroups },
      { id: manifest.id, manifest, limits: manifest.limits },
    )
  }

  it('refuses a plugin whose share nothing holds, where sandboxes are required, and says what to do', () => {
    try {
      start(UNHELD)
    } catch (error) {
      if (!isPhantomError(error)) throw error
      expect(error.code).to.equal('SANDBOX_UNAVAILABLE')
      expect(error.message).to.match(
        /^Cannot start "sample": security\.required_tier is "namespace" and its max_cpu_percent is not held on this machine: no delegated cgroup v2.*\. Give the daemon a part of cgroup v2/,
      )
      expect(error.details).to.deep.include({ limit: 'max_cpu_percent', declared: 50 })
      return
    }
    throw new Error('it would have been started')
  })

  it('starts it where they are not, where groups hold it, and where it asks for no share', () => {
    start(UNHELD, { required: 'process' })
    start(UNHELD, { hasCgroups: true })
    start('[permissions]\npermissions = ["process"]\n')
    start('[resource_limits]\nmax_cpu_percent = 50\n')
  })
})
