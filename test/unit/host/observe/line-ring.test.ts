import { expect } from 'chai'
import { LineRing } from '../../../../host/observe/line-ring.ts'

const line = (message: string) =>
  ({ time: '', plugin_id: 'p', level: 'info', source: 'log', execution_id: null, message }) as const

describe('LineRing', () => {
  it('keeps the last 1,000 lines', () => {
    const ring = new LineRing()
    for (let i = 0; i < 12_345; i += 1) ring.push(line(String(i)))
    const messages = ring.lines().map(({ message }) => message)
    expect(messages).to.have.length(1000)
    expect([messages[0], messages.at(-1)]).to.eql(['11345', '12344'])
  })

  it('keeps fewer lines when they are long', () => {
    const ring = new LineRing()
    for (let i = 0; i < 1000; i += 1) ring.push(line('x'.repeat(8192)))
    expect(ring.lines()).to.have.length(128)
  })
})
