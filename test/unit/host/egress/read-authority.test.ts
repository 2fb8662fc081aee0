import { expect } from 'chai'

import { readAuthority } from '../../../../host/egress/read-authority.ts'

describe('readAuthority()', () => {
  it('reads a host and its port', () => {
    expect(readAuthority('API.example.org:8443', null)).to.deep.equal({
      host: { kind: 'name', text: 'api.example.org' },
      port: 8443,
    })
    expect(readAuthority('[::1]:0080', null)).to.deep.include({ port: 80 })
    expect(readAuthority('api.example.org', 80)).to.deep.include({ port: 80 })
  })

  for (const text of [
    'api.example.org',
    'api.example.org:',
    'api.example.org:0',
    'api.example.org:65536',
    'api.example.org:80:80',
    'api.example.org:80x',
    'api.example.org:+80',
    'a@api.example.org:80',
    'http://api.example.org:80',
    'api.example.org:80/',
    '::1:80',
    '[::1]80',
    'exämple.org:80',
    'a b:80',
    'a\u0000b:80',
    '',
    `${'a'.repeat(400)}:80`,
  ]) {
    it(`refuses ${JSON.stringify(text).slice(0, 50)}`, () => {
      expect(readAuthority(text, null)).to.have.property('refused')
    })
  }
})
