import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import { expect } from 'chai'
import { TreeMeter } from '../../../../host/monitor/cpu-meter.ts'
import { KernelCounts } from '../../../../host/monitor/kernel-counts.ts'
import { processesBelow } from '../../../../host/monitor/process-tree.ts'
import { until } from '../../../helpers/daemon.ts'

/** More than the meter takes in one turn. */
const MANY = 150

describe('What is found below a process', function () {
  this.timeout(30_000)
  const started: ChildProcess[] = []

  afterEach(async () => {
    for (const child of started.splice(0)) {
      process.kill(-child.pid!, 'SIGKILL')
      await once(child, 'exit')
    }
  })

  /** Runs a script of the shell in a session of its own, and waits until so many processes are there. */
  async function start(script: string, count: number): Promise<number> {
    const child = spawn('sh', ['-c', script], { detached: true, stdio: 'ignore' })
    started.push(child)
    await until(() => processesBelow(child.pid!).length === count, `${count} processes`)
    return child.pid!
  }

  it('is each process once, parents first', async () => {
    const root = await start('sh -c "sleep 60 & wait" & wait', 3)
    const [first, child, grandchild] = processesBelow(root)
    const parentOf = (pid: number): number =>
      Number(/^PPid:\t(\d+)/m.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
    expect(first).to.equal(root)
    expect([parentOf(child!), parentOf(grandchild!)]).to.deep.equal([root, child])
  })

  it('adds up what all of a small family have used, at once', async () => {
    const root = await start('sh -c "while :; do :; done" & wait', 2)
    const meter = new TreeMeter(root)
    let nowMs = performance.now()
    expect(meter.read(nowMs).atMs).to.equal(nowMs)
    await until(() => meter.read((nowMs = performance.now())).usedMs > 50, 'the time of the child')
  })

  it('goes through a large family by and by, and spends a tenth of the time on it', async () => {
    const root = await start(`for i in $(seq ${MANY - 1}); do sleep 60 & done; wait`, MANY)
    const meter = new TreeMeter(root)
    const fromMs = performance.now()
    expect(meter.read(fromMs).atMs, 'the first turn is not enough').to.equal(-Infinity)
    expect(meter.read(performance.now()).atMs, 'and the next one is not yet').to.equal(-Infinity)
    let spentMs = 0
    const look = (): boolean => {
      const startMs = performance.now()
      const { atMs } = meter.read(startMs)
      spentMs += performance.now() - startMs
      return atMs > fromMs + 200
    }
    await until(look, 'figures that are of later')
    expect(spentMs / (performance.now() - fromMs)).to.be.below(0.25)
  })

  it('has its threads counted no further than is asked', async () => {
    const root = await start(`for i in $(seq 19); do sleep 60 & done; wait`, 20)
    expect(new KernelCounts(root, root, []).tasks.upTo(100)).to.equal(20)
    expect(new KernelCounts(root, root, []).tasks.upTo(7)).to.equal(7)
    expect(new KernelCounts(root, null, []).tasks.upTo(7), 'not known where it begins').to.equal(null)
  })

  it('has its descriptors counted, and nothing when it is gone', async () => {
    const root = await start('exec 4</dev/null 5</dev/null 6</dev/null; sleep 60', 2)
    expect(new KernelCounts(root, null, []).descriptors.upTo(100)).to.equal(
      fs.readdirSync(`/proc/${root}/fd`).length,
    )
    const { pid } = spawn('true', { stdio: 'ignore' })
    await until(() => !fs.existsSync(`/proc/${pid}`), 'its end')
    expect(new KernelCounts(pid!, pid!, []).descriptors.upTo(100)).to.equal(null)
    expect(new KernelCounts(pid!, pid!, []).tasks.upTo(100)).to.equal(0)
  })
})
