import fs from 'node:fs'
import { expect } from 'chai'
import { TestDaemon, until } from '../helpers/daemon.ts'
import { skipBecause } from '../helpers/skip.ts'

const SHARE = 0.25
/** What is there at once, a tick of the kernel for user and system time, and looks that came late beside other tests. */
const SLACK_MS = 300
const ID = 'fights_its_share'

describe('A plugin that fights its max_cpu_percent', function () {
  this.timeout(60_000)
  let daemon: TestDaemon | null = null

  before(async function () {
    daemon = await TestDaemon.start({ plugins: ['fights-its-share', 'echoes'] })
    const { tier } = await daemon.system.get_status()
    // Outside of a sandbox it would tell others' processes to go on.
    if (tier !== 'namespace') skipBecause.call(this, 'without a sandbox nothing holds it')
    await daemon.call('echoes', 'echo', 'here')
  })
  after(() => daemon?.stop())

  const cpuMs = (pid: number): number => {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return (Number(fields[11]) + Number(fields[12])) * 10
  }

  it('has no more than that on all of its threads together, whatever it signals, and is not ended', async () => {
    await daemon!.call(ID, 'fine')
    const pid = await daemon!.pidOf(ID)
    const [startMs, startCpuMs] = [performance.now(), cpuMs(pid)]
    expect((await daemon!.call(ID, 'everywhere', 2000)).result).to.equal(2)
    expect(cpuMs(pid) - startCpuMs).to.be.lessThan((performance.now() - startMs) * SHARE + SLACK_MS)
    expect(await daemon!.pidOf(ID)).to.equal(pid)
    expect((await daemon!.call('echoes', 'echo', 'here')).result).to.equal('here')
  })

  it('has no more than that between its calls', async () => {
    await daemon!.call(ID, 'fine')
    const pid = await daemon!.pidOf(ID)
    const [startMs, startCpuMs] = [performance.now(), cpuMs(pid)]
    await daemon!.call(ID, 'later', 4000)
    await until(() => cpuMs(pid) - startCpuMs >= 600, '600 ms of processor time')
    expect(performance.now() - startMs).to.be.greaterThan((600 - SLACK_MS) / SHARE)
    expect(await daemon!.pidOf(ID)).to.equal(pid)
  })
})
