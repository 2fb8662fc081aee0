import { expect } from 'chai'
import { CallQueue, type QueuePlace } from '../../../../host/execution/call-queue.ts'

const AGEING_MS = 1000

/** A queue of names, by caller 1 and at time 0 unless said otherwise. */
class NamedQueue extends CallQueue<string> {
  put(names: string, place: Partial<QueuePlace> = {}): this {
    for (const name of names.split(' ')) this.push(name, { ...PLACE, ...place })
    return this
  }

  putFront(names: string, place: Partial<QueuePlace> = {}): this {
    for (const name of names.split(' ')) this.pushFront(name, { ...PLACE, ...place })
    return this
  }

  takeAll(nowMs = 0): string {
    const names: string[] = []
    for (let name = this.shift(nowMs); name !== null; name = this.shift(nowMs)) names.push(name)
    return names.join(' ')
  }
}

const PLACE: QueuePlace = { priority: 'normal', caller: 1, nowMs: 0 }

describe('CallQueue', () => {
  it('hands out by priority, and in the order of coming within one', () => {
    const queue = new NamedQueue().put('n1 n2').put('l1', { priority: 'low' })
    queue.put('c1 c2', { priority: 'critical' }).put('h1', { priority: 'high' }).put('n3')
    expect(queue.takeAll()).to.equal('c1 c2 h1 n1 n2 n3 l1')
    expect(queue.shift(0)).to.equal(null)
  })

  it('lets callers of one priority take turns, whatever each has waiting', () => {
    const client = {}
    const queue = new NamedQueue()
      .put('a1 a2 a3 a4 a5')
      .put('b1 b2', { caller: 2 })
      .put('c1', { caller: client })
    expect(queue.takeAll()).to.equal('a1 b1 c1 a2 b2 a3 a4 a5')
  })

  it('serves another caller after one call of a flood, however old the flood is', () => {
    const queue = new NamedQueue()
    for (let n = 0; n < 1000; n += 1) queue.put(`f${n}`)
    for (let nowMs = 0; nowMs < 500; nowMs += 1) queue.shift(nowMs * 20)
    queue.put('one', { caller: 2, nowMs: 10_000 })
    expect([queue.shift(10_000), queue.shift(10_000)]).to.include('one')
  })

  it('puts the higher priority of another caller first, until a caller has waited long enough', () => {
    const queue = new NamedQueue({ ageingMs: AGEING_MS }).put('low1 low2', { priority: 'low', caller: 1 })
    const taken: string[] = []
    for (let nowMs = 0; nowMs <= 3000; nowMs += 100) {
      queue.put(`h${nowMs}`, { priority: 'high', caller: 2, nowMs })
      taken.push(queue.shift(nowMs)!)
    }
    // At 2000 ms it is as high as the other caller, came there first, and begins again to wait.
    expect(taken.indexOf('low1')).to.equal(20)
    expect(taken).to.not.include('low2')
  })

  it('ages the calls of one caller one by one, a level for each time', () => {
    const takenAt = (nowMs: number): string | null =>
      new NamedQueue({ ageingMs: AGEING_MS })
        .put('low', { priority: 'low' })
        .put('new', { priority: 'high', nowMs })
        .shift(nowMs)
    expect(takenAt(1999)).to.equal('new')
    expect(takenAt(2000)).to.equal('low')
  })

  it('ages callers while nobody asks as if somebody had asked all the time', () => {
    const queue = new NamedQueue({ ageingMs: AGEING_MS }).put('low', { priority: 'low' })
    queue.put('high', { priority: 'high', caller: 2, nowMs: 2500 })
    expect(queue.takeAll(2500)).to.equal('low high')
  })

  it('lets a caller that had its turn begin again to wait for one', () => {
    const queue = new NamedQueue({ ageingMs: AGEING_MS }).put('a1 a2')
    expect(queue.shift(900)).to.equal('a1')
    queue.put('high', { priority: 'high', caller: 2, nowMs: 1500 })
    expect(queue.takeAll(1500)).to.equal('high a2')
  })

  it('lets nobody age later for a call that was put in front', () => {
    const callers = new NamedQueue({ ageingMs: AGEING_MS }).put('a1').put('b1', { caller: 2 })
    callers
      .putFront('r1', { caller: 3, nowMs: 900 })
      .put('high', { priority: 'high', caller: 4, nowMs: 1500 })
    expect(callers.takeAll(1500)).to.equal('r1 a1 b1 high')
    const own = new NamedQueue({ ageingMs: AGEING_MS }).put('a1').putFront('r1', { nowMs: 900 })
    expect(own.put('high', { priority: 'high', nowMs: 950 }).takeAll(1000)).to.equal('r1 a1 high')
  })

  it('puts a call in front of all others of its priority, in the order given', () => {
    const queue = new NamedQueue()
      .put('a1 a2')
      .put('b1', { caller: 2 })
      .put('h1', { priority: 'high', caller: 2 })
    queue.putFront('r1 r2', { caller: 3 })
    expect(queue.takeAll()).to.equal('h1 r1 a1 b1 r2 a2')
    const own = new NamedQueue().put('a1 a2').putFront('r1 r2').put('a3').putFront('r3')
    expect(own.takeAll()).to.equal('r1 r2 r3 a1 a2 a3')
  })

  it('removes a call from wherever it waits', () => {
    const queue = new NamedQueue().put('a1 a2 a3').put('b1', { caller: 2 }).put('h1', { priority: 'high' })
    expect(['a2', 'b1', 'h1', 'a2', 'never'].map((name) => queue.remove(name))).to.deep.equal([
      true,
      true,
      true,
      false,
      false,
    ])
    expect(queue.takeAll()).to.equal('a1 a3')
    expect(queue.remove('a1')).to.equal(false)
  })

  it('does not leave a caller in front for a call that it took back', () => {
    const queue = new NamedQueue().put('a1').put('b1', { priority: 'low', caller: 2 })
    queue.put('bait', { priority: 'critical', caller: 2 }).remove('bait')
    expect(queue.takeAll()).to.equal('a1 b1')
  })

  it('says what waits, by priority, and for how long', () => {
    const queue = new NamedQueue()
    expect([queue.size, queue.oldestMs(500)]).to.deep.equal([0, 0])
    queue.put('n1', { nowMs: 600 }).put('l1', { priority: 'low', nowMs: 700 })
    queue.put('c1 c2', { priority: 'critical', nowMs: 800 })
    expect(queue.sizes()).to.deep.equal({ low: 1, normal: 1, high: 0, critical: 2 })
    expect([queue.size, queue.oldestMs(1000)]).to.deep.equal([4, 400])
    queue.remove('n1')
    expect([queue.size, queue.oldestMs(1000)]).to.deep.equal([3, 300])
  })

  it('gives everything back in the order of coming when it is drained, and goes on', () => {
    const queue = new NamedQueue().put('l1', { priority: 'low' }).put('c1', { priority: 'critical' })
    queue.put('b1', { caller: 2 }).putFront('r1')
    expect(queue.drain()).to.deep.equal(['l1', 'c1', 'b1', 'r1'])
    expect([queue.size, queue.shift(0), queue.oldestMs(0), queue.remove('l1')]).to.deep.equal([
      0,
      null,
      0,
      false,
    ])
    expect(queue.put('l1').takeAll()).to.equal('l1')
  })

  it('refuses an item that waits already', () => {
    const queue = new NamedQueue().put('a')
    expect(() => queue.put('a')).to.throw(RangeError)
    queue.put('b')
    expect(() => queue.put('a', { caller: 2 })).to.throw(RangeError)
    expect(() => queue.putFront('a')).to.throw(RangeError)
    expect(queue.takeAll()).to.equal('a b')
  })

  it('takes a clock that goes back for one that stands still', () => {
    const queue = new NamedQueue().put('n1', { nowMs: 5000 }).put('n2', { nowMs: 0 })
    expect(queue.oldestMs(-1e9)).to.equal(0)
    expect(queue.takeAll(-1e9)).to.equal('n1 n2')
  })

  it('takes no longer for each of a hundred thousand than for each of a few', () => {
    const count = 100_000
    const queue = new CallQueue<number>()
    const startedMs = performance.now()
    const priorities = ['low', 'normal', 'high', 'critical'] as const
    for (let n = 0; n < count; n += 1) {
      queue.push(n, { priority: priorities[n % 4]!, caller: n % 5 === 0 ? n : 1, nowMs: n / 10 })
    }
    for (let n = 1; n < count; n += 2) queue.remove(n)
    let taken = 0
    while (queue.shift(count / 10 + taken) !== null) taken += 1
    expect(taken).to.equal(count / 2)
    // A fifth of a second where each step is a few pointers; minutes where it walks the queue.
    expect(performance.now() - startedMs).to.be.below(3000)
  })
})
