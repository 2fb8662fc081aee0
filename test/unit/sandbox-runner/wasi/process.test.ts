import { expect } from 'chai'
import { GuestExit } from '../../../../sandbox-runner/wasm/wasi/process-functions.ts'
import { pluginModule } from '../../../helpers/wasm-module.ts'
import { WasiGuest } from '../../../helpers/wasi-guest.ts'

const CLOCK = { realtime: 0, monotonic: 1, cpu: 2 }

describe('the process that WASI shows to a module', () => {
  function texts(guest: WasiGuest, name: 'args' | 'environ'): string[] {
    expect(guest.call(`${name}_sizes_get`, 0, 4)).to.equal('success')
    const [count, bytes] = [guest.view().getUint32(0, true), guest.view().getUint32(4, true)]
    expect(guest.call(`${name}_get`, 64, 4096)).to.equal('success')
    return Array.from({ length: count }, (_one, at) => {
      const start = guest.view().getUint32(64 + at * 4, true)
      const all = guest.bytes(start, 4096 + bytes - start)
      return all.subarray(0, all.indexOf(0)).toString()
    })
  }

  it('has the variables that were granted, and no others', () => {
    const guest = new WasiGuest({ env: { LANG: 'de', EMPTY: '', ÜML: 'äöü' }, args: ['plugin', 'two'] })
    expect(texts(guest, 'environ')).to.deep.equal(['LANG=de', 'EMPTY=', 'ÜML=äöü'])
    expect(texts(guest, 'args')).to.deep.equal(['plugin', 'two'])
    expect(texts(new WasiGuest(), 'environ')).to.deep.equal([])
  })

  it('has clocks that go forward, and refuses others', () => {
    const guest = new WasiGuest()
    const timeNs = (clock: number): bigint => {
      expect(guest.call('clock_time_get', clock, 0n, 8)).to.equal('success')
      return guest.view().getBigUint64(8, true)
    }
    expect(Math.abs(Number(timeNs(CLOCK.realtime) / 1_000_000n) - Date.now())).to.be.below(1000)
    expect(timeNs(CLOCK.monotonic) <= timeNs(CLOCK.monotonic)).to.equal(true)
    expect(timeNs(CLOCK.cpu) > 0n).to.equal(true)
    expect(guest.call('clock_time_get', 9, 0n, 8)).to.equal('inval')
    expect([
      guest.call('clock_res_get', CLOCK.monotonic, 8),
      guest.call('clock_res_get', 9, 8),
    ]).to.deep.equal(['success', 'inval'])
  })

  it('fills what it is asked to with chance, also more than comes at once', () => {
    const guest = new WasiGuest()
    guest.memory.grow(4)
    expect(guest.call('random_get', 100, 200_000)).to.equal('success')
    for (const at of [100, 70_000, 199_000]) expect(new Set(guest.bytes(at, 256)).size).to.be.greaterThan(50)
    expect(guest.bytes(0, 100).every((byte) => byte === 0)).to.equal(true)
  })

  it('ends with what the module says', () => {
    const guest = new WasiGuest()
    expect(() => guest.call('proc_exit', 3)).to.throw(GuestExit, 'The plugin called exit(3)')
    expect([guest.call('proc_raise', 9), guest.call('sched_yield')]).to.deep.equal(['notsup', 'success'])
  })

  it('has no sockets', () => {
    const guest = new WasiGuest()
    expect(guest.call('sock_accept', 4, 0, 0)).to.equal('notsup')
    expect(guest.call('sock_send', 4, 0, 0, 0, 0)).to.equal('notsup')
  })

  describe('and what it prints', () => {
    it('comes as lines, cut between characters and at a bound', () => {
      const guest = new WasiGuest()
      const word = Buffer.from('grün\n')
      guest.write(1, word.subarray(0, 3))
      guest.write(2, 'bad\nworse')
      guest.write(1, word.subarray(3))
      guest.write(1, 'a\n\nb')
      expect(guest.lines).to.deep.equal(['stderr bad', 'stdout grün', 'stdout a', 'stdout '])
      guest.wasi.flush()
      guest.wasi.flush()
      expect(guest.lines.slice(4)).to.deep.equal(['stdout b', 'stderr worse'])
      expect(guest.result()).to.equal(4)
      guest.lines.length = 0
      for (let each = 0; each < 10; each += 1) guest.write(1, 'x'.repeat(4000))
      guest.write(1, '\n')
      expect(guest.lines.every((line) => line.length <= 8192 + 'stdout '.length)).to.equal(true)
      expect(guest.lines.join('').replaceAll('stdout ', '')).to.have.length(40_000)
    })

    it('is nothing that can be read, and input is at its end', () => {
      const guest = new WasiGuest()
      expect([guest.read(0), guest.read(1), guest.write(0, 'x')]).to.deep.equal(['', 'badf', 'badf'])
      expect(guest.call('fd_fdstat_get', 1, 64)).to.equal('success')
      expect([guest.bytes(64, 1)[0], guest.view().getBigUint64(72, true)]).to.deep.equal([2, 64n])
      expect([guest.call('fd_close', 1), guest.write(1, 'x')]).to.deep.equal(['success', 'badf'])
      expect(guest.call('fd_seek', 2, 0n, 0, 0)).to.equal('spipe')
    })
  })
})

describe('poll_oneoff', () => {
  /** A module that calls it: it suspends, so nothing else can. */
  function sleeper(sleep: (durationMs: number) => Promise<void>) {
    const guest = new WasiGuest({ sleep })
    const bytes = pluginModule({
      imports: ['wasi_snapshot_preview1 poll_oneoff iiii>i'],
      memoryPages: 1,
      exports: [['memory', 'memory', 0]],
      functions: { run: ['i>i', [0x41, 0, 0x41, 0x80, 0x02, 0x20, 0, 0x41, 0x80, 0x04, 0x10, 0]] },
    })
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), guest.wasi.imports)
    const memory = exports['memory'] as WebAssembly.Memory
    guest.wasi.bind(memory)
    const view = (): DataView => new DataView(memory.buffer)
    return { run: exports['run'], memory, view, guest }
  }

  function subscribe(
    view: DataView,
    at: number,
    what: { kind: number; fd?: number; clock?: number; ns?: bigint; absolute?: boolean },
  ): void {
    view.setBigUint64(at * 48, BigInt(at + 1), true)
    view.setUint8(at * 48 + 8, what.kind)
    view.setUint32(at * 48 + 16, what.fd ?? what.clock ?? 1, true)
    view.setBigUint64(at * 48 + 24, what.ns ?? 0n, true)
    view.setUint16(at * 48 + 40, what.absolute === true ? 1 : 0, true)
  }

  it('suspends the module until the time is over, and the loop goes on meanwhile', async () => {
    const slept: number[] = []
    const { run, view, memory } = sleeper(async (durationMs) => {
      slept.push(durationMs)
      // What grows while it sleeps is written to where it is then.
      if (slept.length === 1) memory.grow(1)
      await new Promise((resolve) => void setTimeout(resolve, durationMs))
    })
    subscribe(view(), 0, { kind: 0, ns: 20_000_000n })
    subscribe(view(), 1, { kind: 0, ns: 3_600_000_000_000n })
    const start = performance.now()
    expect(await WebAssembly.promising(run)(2)).to.equal(0)
    expect(performance.now() - start).to.be.within(19, 2000)
    expect(slept[0]).to.be.within(1, 20)
    expect([
      view().getUint32(512, true),
      view().getBigUint64(256, true),
      view().getUint16(264, true),
    ]).to.deep.equal([1, 1n, 0])
  })

  it('waits for nothing that is over or ready', async () => {
    const { run, view } = sleeper(() => Promise.reject(new Error('it slept')))
    const now = WebAssembly.promising(run)
    subscribe(view(), 0, { kind: 0, ns: 5n, absolute: true })
    expect([await now(1), view().getUint32(512, true)]).to.deep.equal([0, 1])
    subscribe(view(), 0, { kind: 0, ns: 3_600_000_000_000n })
    subscribe(view(), 1, { kind: 1, fd: 0 })
    subscribe(view(), 2, { kind: 2, fd: 77 })
    expect([await now(3), view().getUint32(512, true)]).to.deep.equal([0, 2])
    expect([view().getBigUint64(256, true), view().getUint16(264, true), view().getUint8(266)]).to.deep.equal(
      [2n, 0, 1],
    )
    expect([view().getBigUint64(288, true), view().getUint16(296, true)]).to.deep.equal([3n, 8])
    subscribe(view(), 0, { kind: 9 })
    expect([await now(1), await now(0), await now(2000)]).to.deep.equal([28, 28, 28])
    subscribe(view(), 0, { kind: 0, clock: 9 })
    expect(await now(1)).to.equal(28)
  })

  it('ends with EINTR when the call is cancelled', async () => {
    const { run, view } = sleeper(() => Promise.reject(new Error('cancelled')))
    subscribe(view(), 0, { kind: 0, ns: 20_000_000n })
    expect(await WebAssembly.promising(run)(1)).to.equal(27)
  })
})
