import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import { expect } from 'chai'
import { DataWatch } from '../../../../host/monitor/data-watch.ts'
import { until } from '../../../helpers/daemon.ts'

const MIB = 1024 * 1024
const NO_LIMIT = Number.MAX_SAFE_INTEGER

describe('DataWatch', () => {
  const ownBytes = (): number => Number(fs.readFileSync('/proc/self/statm', 'latin1').split(' ')[5]) * 4096
  const watched = (limitBytes: number, pid = process.pid): DataWatch => {
    const watch = new DataWatch(pid, limitBytes)
    watch.look(1000)
    watch.close()
    return watch
  }

  it('tells a process that holds nearly all that it may from one that does not', () => {
    expect(watched(ownBytes() * 1.1).isNearLimit(1001)).to.equal(true)
    expect(watched(ownBytes() * 3).isNearLimit(1001)).to.equal(false)
  })

  it('forgets what was held a while ago', () => {
    const watch = watched(MIB)
    expect([watch.isNearLimit(1200), watch.isNearLimit(1300)]).to.deep.equal([true, false])
  })

  it('knows nothing of a process that is not there, or was never looked at', () => {
    expect(watched(MIB, 2 ** 22 + 1).isNearLimit(1000)).to.equal(false)
    const unseen = new DataWatch(process.pid, MIB)
    expect(unseen.isNearLimit(1000)).to.equal(false)
    unseen.close()
  })

  it('keeps what was seen last of a process that ended', async () => {
    const child = spawn('/bin/cat', { stdio: ['pipe', 'ignore', 'ignore'] })
    const watch = new DataWatch(child.pid!, 1)
    watch.look(1000)
    child.stdin.end()
    await once(child, 'exit')
    watch.look(1010)
    expect(watch.isNearLimit(1020)).to.equal(true)
    watch.close()
  })

  it('looks by itself while there is something to look at, and no longer', async () => {
    let asked = 0
    let isBusy = true
    const watch = new DataWatch(process.pid, NO_LIMIT)
    watch.begin(() => {
      asked += 1
      return isBusy
    })
    await until(() => asked > 5, 'some looks')
    isBusy = false
    const asLong = asked
    await until(() => asked > asLong, 'the last one')
    watch.begin(() => {
      asked += 1000
      return false
    })
    await until(() => asked > 1000, 'a look of the next call')
    expect(asked).to.equal(asLong + 1001)
    watch.close()
  })
})
