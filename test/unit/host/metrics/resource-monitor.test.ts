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
import { LookClock } from '../../../../host/monitor/look-clock.ts'
import { ProcessSampler } from '../../../../host/monitor/process-sampler.ts'

const HOARDER = `globalThis.held = Buffer.alloc(64 * 1024 * 1024, 1); console.log('ready'); setInterval(() => {}, 1000)`
const SPINNER = `console.log('ready'); for (;;);`

describe('ResourceMonitor', () => {
  const children: ChildProcess[] = []
  const monitors: ResourceMonitor[] = []
  const clocks: LookClock[] = []
  const samplers: ProcessSampler[] = []

  afterEach(async () => {
    for (const clock of clocks.splice(0)) clock.close()
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
  function looksAt(watched: () => readonly WatchedProcess[]) {
    let onLook: ((fresh: ReadonlyMap<number, ResourceSample>) => void) | null = null
    const onSamples = (fresh: ReadonlyMap<number, ResourceSample>) => onLook?.(fresh)
    const clock = new LookClock()
    const monitor = new ResourceMonitor({ clock, watched, onSamples, busyMs: 50, idleMs: 50 })
    clocks.push(clock)
    monitors.push(monitor)
    clock.start()
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
      { pid: busy.pid, isBusy: true, sampler: keepSampler(busy.pid) },
      { pid: idle.pid, isBusy: false, sampler: keepSampler(idle.pid) },
    ]
    const clock = new LookClock()
    let seen: number[] = []
    const monitor = new ResourceMonitor({
      clock,
      watched: () => watched,
      onSamples: (fresh) => seen.push(...fresh.keys()),
    })
    monitors.push(monitor)
    const startMs = Math.ceil(performance.now() / 2_000) * 2_000
    const looks: number[][] = []
    for (let atMs = startMs; atMs < startMs + 4_000; atMs += 50) {
      clock.tick(atMs)
      if (seen.length > 0) looks.push(seen)
      seen = []
    }
    expect(looks.map((pids) => pids.length)).to.eql([2, 1, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1, 1, 1, 1])
    expect(looks.every(([first]) => first === busy.pid)).to.equal(true)
    const late = await start(HOARDER)
    watched.push({ pid: late.pid, isBusy: false, sampler: keepSampler(late.pid) })
    clock.tick(startMs + 4_250)
    expect(seen).to.contain(late.pid)
  })

  it('waits for pidusage before it looks again', async () => {
    const { pid } = await start(HOARDER)
    const clock = new LookClock()
    const looked: number[] = []
    let asked = 0
    const monitor = new ResourceMonitor({
      clock,
      watched: () => {
        asked += 1
        return [{ pid, isBusy: true, sampler: null }]
      },
      onSamples: (_, nowMs) => looked.push(nowMs),
    })
    monitors.push(monitor)
    clock.tick(10_000)
    clock.tick(10_250)
    expect(asked).to.equal(1)
    while (looked.length === 0) await delay(10)
    clock.tick(10_500)
    expect(asked).to.equal(2)
  })

  it('costs nothing where nothing runs, and stops when it is closed', () => {
    const clock = new LookClock()
    let asked = 0
    const monitor = new ResourceMonitor({ clock, watched: () => ((asked += 1), []) })
    for (let atMs = 10_000; atMs < 11_000; atMs += 50) clock.tick(atMs)
    monitor.close()
    for (let atMs = 11_000; atMs < 12_000; atMs += 50) clock.tick(atMs)
    expect(asked).to.equal(4)
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
