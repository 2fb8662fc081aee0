import { expect } from 'chai'

import { planRunner, type RunnerPlan } from '../../../../host/sandbox/plan-runner.ts'
import { MACHINE, withPolicy } from '../../../helpers/runner-request.ts'

describe('planRunner() of a sandbox that is closed', () => {
  it("leaves what closes the file system to the entry program where the daemon is root, to bubblewrap where it isn't", () => {
    const request = {
      ...withPolicy({ process: true }),
      identity: { uid: 70, gid: 71 },
      workspace: '/tmp/work',
    }
    const root = planRunner({ ...MACHINE, uid: 0 }, request)
    const words = root.args.join(' ')
    expect(words)
      .to.include('--tmpfs /tmp/work')
      .and.not.match(/--remount-ro|--tmpfs \/proc|\/dev\/null \/proc/)
    expect(root.entry?.mounts).to.deep.equal([
      { kind: 'empty', at: '/proc/sys' },
      { kind: 'empty', at: '/proc/1' },
      { kind: 'cover', at: '/proc/kallsyms' },
      { kind: 'seal', at: '/tmp/work' },
      { kind: 'seal', at: '/' },
    ])
    const ordinary = planRunner(MACHINE, { ...request, identity: null })
    expect(ordinary.entry?.mounts).to.deep.equal([])
    const declared = ({ expected }: RunnerPlan): string[] =>
      (expected.mounts ?? []).map((mount) => JSON.stringify(mount)).toSorted()
    expect(declared(root)).to.deep.equal(declared(ordinary))
  })
})
