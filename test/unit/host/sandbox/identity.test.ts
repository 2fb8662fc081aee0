import { expect } from 'chai'

import { createIdentityPool, IdentityPool } from '../../../../host/sandbox/identity.ts'

const FIRST = 0x7000_0000
const LAST = 0x7fff_fffe

describe('IdentityPool', () => {
  it('is for a daemon that is root alone', () => {
    expect(createIdentityPool('/state', 1000)).to.equal(null)
    expect(createIdentityPool('/state', 0)).to.be.instanceOf(IdentityPool)
  })

  it('gives a uid once at a time, out of the unused range, and a returned one last', () => {
    const pool = new IdentityPool('/state')
    const first = pool.acquire()
    const second = pool.acquire()
    expect(second).to.equal(first + 1)
    pool.release(first)
    expect(pool.acquire()).to.equal(second + 1)
    for (const uid of [first, second]) expect(uid).to.be.within(FIRST, LAST)
  })

  it('goes round its block past the ones in use, and says when it is empty', () => {
    const pool = new IdentityPool('/state')
    const all = Array.from({ length: 65_536 }, () => pool.acquire())
    expect(new Set(all).size).to.equal(65_536)
    expect(Math.max(...all)).to.be.at.most(LAST)
    expect(() => pool.acquire()).to.throw(
      /^Cannot give a runner a user id of its own: all 65536 from \d+ on are in use/,
    )
    pool.release(all[5] ?? 0)
    expect(pool.acquire()).to.equal(all[5])
  })

  it('keeps state folders apart and is the same for the same one', () => {
    expect(new IdentityPool('/a').acquire()).to.equal(new IdentityPool('/a').acquire())
    expect(new IdentityPool('/a').acquire()).not.to.equal(new IdentityPool('/b').acquire())
  })

  it('has a gid for every plugin number', () => {
    const pool = new IdentityPool('/state')
    expect(pool.gidOf(3) - pool.gidOf(0)).to.equal(3)
    for (const wrong of [-1, 65_536, 1.5, Number.NaN]) expect(() => pool.gidOf(wrong)).to.throw(RangeError)
  })
})
