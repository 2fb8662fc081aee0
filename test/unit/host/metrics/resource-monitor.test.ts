import { expect } from 'chai'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { DaemonFigures } from '../../../../host/metrics/daemon-figures.ts'
import {
  ResourceMonitor,
  type ResourceSample,
  type WatchedProcess,
} from '../../../../host/metrics/resource-monitor.ts'

import { ProcessSampler } from '../../../../host/monitor/process-sampler.ts'

const HOARDER = `globalThis.held = Buffer.alloc(64 * 1024 * 1024, 1); console.log('ready'); setInterval(() => {}, 1000)`
const SPINNER = `console.log('ready'); for (;;);`

describe('ResourceMonitor', () => {
  const children: ChildProcess[] = []
  const monitors: ResourceMonitor[] = []
  const samplers: ProcessSampler[] = []

  afterEach(async () => {
    for (const monitor of monitors.splice(0)) monitor.close()
    for (const sampler of samplers.splice(0)) sampler.close()
    for (const child of children.splice(0)) await kill(child)
  })

  async function start(script: string): Promise<ChildProcess & { pid: number }> {
    const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
    children.push(child)
    await once(child.stdout, 'data')
    child.stdout.destroy()
    return child as unknown as ChildProcess & { pid: number }
  }

  function keepSampler(pid: number): ProcessSampler {
    const sampler = new ProcessSampler(pid)
    samplers.push(sampler)
    return sampler
  }

  async function kill(child: ChildProcess): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  }

  /** Answers look after look. */
  function looksAt(watched: () => readonly WatchedProcess[], looksPerIdleLook = 1) {
    let onLook: ((fresh: ReadonlyMap<number, ResourceSample>) => void) | null = null
    const onSamples = (fresh: ReadonlyMap<number, ResourceSample>) => onLook?.(fresh)
    const monitor = new ResourceMonitor({ watched, onSamples, intervalMs: 50, looksPerIdleLook })
    monitors.push(monitor)
    monitor.start()
    const next = () => new Promise<ReadonlyMap<number, ResourceSample>>((resolve) => (onLook = resolve))
    return { monitor, next }
  }

  for (const [how, samplerOf] of [
    ['by a kept descriptor', keepSampler],
    ['by pidusage', () => null],
  ] as const) {
    it(`sees what a process holds, and a spinning one use a core (${how})`, async () => {
      const [hoarder, spinner] = [await start(HOARDER), await start(SPINNER)]
      const both = [hoarder, spinner].map(({ pid }) => ({ pid, isBusy: true, sampler: samplerOf(pid) }))
      const { monitor, next } = looksAt(() => both)
      await next()
      expect(monitor.sampleOf(spinner.pid)?.cpuShare, 'nothing to compare with yet').to.equal(null)
      let share = 0
      while (share < 0.3) {
        await next()
        share = monitor.sampleOf(spinner.pid)?.cpuShare ?? 0
      }
      expect(share).to.be.below(1.5)
      expect(monitor.sampleOf(spinner.pid)!.cpuTimeMs).to.be.above(0)
      expect(monitor.sampleOf(hoarder.pid)!.memoryBytes).to.be.above(64 * 1024 * 1024)
      expect(monitor.sampleOf(hoarder.pid)!.cpuShare).to.be.below(0.3)
    })

    it(`goes on when one ends between two looks, and forgets it when it is not watched (${how})`, async () => {
      const [one, two] = [await start(HOARDER), await start(HOARDER)]
      const watched = [one, two].map(({ pid }) => ({ pid, isBusy: true, sampler: samplerOf(pid) }))
      const { monitor, next } = looksAt(() => watched)
      await next()
      const last = monitor.sampleOf(one.pid)
      await kill(one)
      await next()
      let fresh = await next()
      expect([...fresh.keys()]).to.eql([two.pid])
      expect(monitor.sampleOf(one.pid)!.memoryBytes, 'its last sample stands').to.equal(last!.memoryBytes)
      watched.shift()
      fresh = await next()
      expect(monitor.sampleOf(one.pid)).to.equal(null)
      await kill(two)
      while (fresh.size > 0) fresh = await next()
    })
  }

  it('looks at idle processes seldom, at new ones at once', async () => {
    const [busy, idle] = [await start(HOARDER), await start(HOARDER)]
    const watched: WatchedProcess[] = [
      { pid: busy.pid, isBusy: true, sampler: null },
      { pid: idle.pid, isBusy: false, sampler: null },
    ]
    const { next } = looksAt(() => watched, 4)
    const looks: number[] = []
    for (let look = 0; look < 8; look += 1) looks.push((await next()).size)
    expect(looks).to.eql([2, 1, 1, 1, 2, 1, 1, 1])
    const late = await start(HOARDER)
    watched.push({ pid: late.pid, isBusy: false, sampler: null })
    // This look may have begun already; the one after it may not leave the new one out.
    const seen = [await next(), await next()].some((fresh) => fresh.has(late.pid))
    expect(seen).to.equal(true)
  })

  it('costs nothing where nothing runs, and stops when it is closed', async () => {
    const asked: number[] = []
    const { monitor } = looksAt(() => {
      asked.push(performance.now())
      return []
    })
    while (asked.length < 3) await delay(10)
    monitor.close()
    monitor.start()
    const before = asked.length
    await delay(150)
    expect(asked).to.have.length(before)
  })
})

describe('DaemonFigures', () => {
  it('tells memory, CPU time and how late the loop ran in this period or the one before', async () => {
    const figures = new DaemonFigures(400)
    const lateMs = () => figures.figures().event_loop_delay_p99_ms
    try {
      const before = figures.figures()
      expect(before.memory_bytes).to.be.above(10 * 1024 * 1024)
      while (lateMs() < 100) {
        await delay(50)
        const end = performance.now() + 150
        while (performance.now() < end);
        await delay(1)
      }
      expect(lateMs()).to.be.below(1000)
      expect(figures.figures().cpu_time_ms).to.be.above(before.cpu_time_ms)
      while (lateMs() > 50) await delay(20)
    } finally {
      figures.close()
    }
  })
})
