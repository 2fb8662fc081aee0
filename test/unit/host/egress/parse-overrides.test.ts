import { expect } from 'chai'

import { parseOverrides } from '../../../../host/egress/parse-overrides.ts'

describe('parseOverrides()', () => {
  it('reads names and addresses in their one spelling, and all addresses of a name', () => {
    const lines = [
      'API.internal.=10.0.0.7',
      'api.internal = [x]',
      'api.internal=FD00::1',
      'other.test=1.1.1.1',
    ]
    expect([...parseOverrides(lines)]).to.deep.equal([
      ['api.internal', ['10.0.0.7', 'fd00::1']],
      ['other.test', ['1.1.1.1']],
    ])
  })

  it('takes nothing from a line that is no name and address', () => {
    for (const line of [
      '',
      '=',
      'a.test',
      'a.test=',
      '=1.1.1.1',
      'a.test=b.test',
      '10.0.0.1=1.1.1.1',
      'a.test=127.1',
      '*.test=1.1.1.1',
    ])
      expect(parseOverrides([line]).size, line).to.equal(0)
  })
})
