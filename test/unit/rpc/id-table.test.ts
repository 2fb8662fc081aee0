import { expect } from 'chai'
import { IdTable } from '../../../src/rpc/id-table.ts'

describe('IdTable', () => {
  it('is a Map for whole numbers, whatever is set and deleted in whatever order', () => {
    let state = 7
    const random = (below: number): number => {
      state = (state * 1103515245 + 12345) % 2147483648
      return Math.floor((state / 2147483648) * below)
    }
    const table = new IdTable<number>()
    const map = new Map<number, number>()
    for (let n = 0; n < 100_000; n += 1) {
      // Ids that collide on purpose: multiples of the first size, and far ones.
      const id = random(4) === 0 ? random(40) * 64 : random(3) === 0 ? 2 ** 40 + random(200) : random(300)
      if (random(2) === 0) {
        table.set(id, n)
        map.set(id, n)
      } else {
        expect(table.delete(id)).to.equal(map.delete(id))
      }
      expect(table.size).to.equal(map.size)
      expect(table.get(id)).to.equal(map.get(id))
    }
    for (const [id, value] of map) expect(table.get(id)).to.equal(value)
    expect([...table.values()].toSorted((a, b) => a - b)).to.deep.equal(
      [...map.values()].toSorted((a, b) => a - b),
    )
    table.clear()
    expect(table.size).to.equal(0)
  })

  it('ends its search also for what is no id, and takes none', () => {
    const table = new IdTable<string>()
    for (let id = 0; id < 31; id += 1) table.set(id, 'some')
    for (const none of [NaN, Infinity, -Infinity, -1, 0.5, -0.5, 2 ** 32 + 0.5]) {
      expect(table.get(none), String(none)).to.equal(undefined)
      expect(table.delete(none), String(none)).to.be.false
      expect(() => table.set(none, 'none'), String(none)).to.throw(RangeError, /^an id is a whole number/)
    }
    expect(table.size).to.equal(31)
  })

  it('stays small when one id stays open while a million others come and go', () => {
    const table = new IdTable<string>()
    table.set(1, 'stays')
    const before = process.memoryUsage().heapUsed
    for (let id = 2; id < 1_000_000; id += 1) {
      table.set(id, 'passes')
      table.delete(id)
    }
    expect(table.get(1)).to.equal('stays')
    expect(table.size).to.equal(1)
    expect(process.memoryUsage().heapUsed - before).to.be.below(8 * 1024 * 1024)
  })
})
