import { expect } from 'chai'

import { excessOf } from '../../../../host/monitor/network-guard.ts'
import { SILENT_LIMITS } from '../../../../src/contract/manifest/silent-limits.ts'

const before = { requests: 10, connections: 5, bytes: 1000 }

describe('excessOf()', () => {
  it('lets a plugin use as much as its limits say, and names the first that it breaks', () => {
    const limits = { ...SILENT_LIMITS, maxNetworkRequests: 2, maxNetworkConnections: 1, maxNetworkBytes: 100 }
    const use = (requests: number, connections: number, bytes: number) =>
      excessOf(limits, { requests: 10 + requests, connections: 5 + connections, bytes: 1000 + bytes }, before)
    expect(use(2, 1, 100)).to.equal(null)
    expect(use(3, 2, 101)).to.deep.equal({ limit: 'max_network_requests', declared: 2, measured: 3 })
    expect(use(2, 2, 101)).to.deep.equal({ limit: 'max_network_connections', declared: 1, measured: 2 })
    expect(use(2, 1, 101)).to.deep.equal({ limit: 'max_network_bytes', declared: 100, measured: 101 })
  })

  it('takes 0 for a limit, and no limit for none', () => {
    const use = { requests: 11, connections: 5, bytes: 1e12 }
    expect(excessOf({ ...SILENT_LIMITS, maxNetworkRequests: 0 }, use, before)).to.have.property('measured', 1)
    expect(excessOf(SILENT_LIMITS, use, before)).to.equal(null)
  })
})
