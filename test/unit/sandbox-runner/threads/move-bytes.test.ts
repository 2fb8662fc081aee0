import { expect } from 'chai'
import { ByteMover } from '../../../../sandbox-runner/threads/move-bytes.ts'

describe('ByteMover', () => {
  const pack = (values: readonly unknown[]) => new ByteMover(values).pack(values)

  it('moves buffers and whole views, as a value or as a member of one', () => {
    const buffer = new ArrayBuffer(8)
    const [view, member, element] = [new Float32Array(4), new Uint8Array(3), new Uint16Array(2)]
    const values = [buffer, view, { name: 'a', member }, ['x', element]]
    const { packed, transfer } = pack(values)
    expect(packed).to.deep.equal(values)
    expect(transfer).to.deep.equal([buffer, view.buffer, member.buffer, element.buffer])
  })

  it('copies a view of a part, that part alone, and in its own kind', () => {
    const whole = Float64Array.of(1, 2, 3, 4)
    const views = [whole.subarray(1, 3), new DataView(whole.buffer, 8, 16), Buffer.from(whole.buffer, 8, 16)]
    const { packed, transfer } = pack(views)
    const [part, view, bytes] = packed as [Float64Array, DataView, Uint8Array]
    expect([...part]).to.deep.equal([2, 3])
    expect(view.getFloat64(0, true)).to.equal(2)
    expect(Buffer.isBuffer(bytes), 'a Buffer is none on the other side').to.be.false
    expect(new Float64Array(bytes.buffer)[1]).to.equal(3)
    expect(transfer).to.deep.equal([part.buffer, view.buffer, bytes.buffer])
    expect(whole.length).to.equal(4)
  })

  it('copies what several values have in common, and what Node shares among Buffers', () => {
    const twice = new Uint8Array([7])
    const pooled = Buffer.from('pooled')
    const { packed, transfer } = pack([twice, { twice }, pooled])
    expect(transfer).not.to.include(twice.buffer).and.not.include(pooled.buffer)
    expect(packed).to.deep.equal([twice, { twice }, new Uint8Array(Buffer.from('pooled'))])
    structuredClone(packed, { transfer: transfer as ArrayBuffer[] })
    expect([twice.length, pooled.toString()]).to.deep.equal([1, 'pooled'])
  })

  it('shares what is shared, and leaves everything else to the clone', () => {
    const shared = new Int32Array(new SharedArrayBuffer(4))
    const values = [
      shared,
      shared,
      1,
      'text',
      null,
      undefined,
      new Map([[1, new Uint8Array(1)]]),
      { a: { b: 1 } },
    ]
    const { packed, transfer } = pack(values)
    expect(packed).to.deep.equal(values)
    expect(packed[0]).to.equal(shared)
    expect(transfer).to.deep.equal([])
  })
})
