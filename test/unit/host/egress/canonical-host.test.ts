import { expect } from 'chai'
import * as fc from 'fast-check'

import { canonicalAddress, canonicalHost, groupsOf } from '../../../../host/egress/canonical-host.ts'
import { hostSpelling, FUZZ_RUNS } from './host-spellings.ts'

describe('canonicalHost()', () => {
  const accepted: readonly (readonly [string, string])[] = [
    ['api.example.org', 'api.example.org'],
    ['API.Example.ORG', 'api.example.org'],
    ['api.example.org.', 'api.example.org'],
    ['exämple.org', 'xn--exmple-cua.org'],
    ['xn--exmple-cua.org', 'xn--exmple-cua.org'],
    ['foo。example。org', 'foo.example.org'],
    ['ⓔvil.org', 'evil.org'],
    ['a\u00ADb.org', 'ab.org'],
    ['_dmarc.example.org', '_dmarc.example.org'],
    ['10.0.0.7', '10.0.0.7'],
    ['127.0.0.1.', '127.0.0.1'],
    ['１２７.０.０.１', '127.0.0.1'],
    ['[::1]', '::1'],
    ['[0:0:0:0:0:0:0:1]', '::1'],
    ['[2001:DB8::0001]', '2001:db8::1'],
    ['[::ffff:127.0.0.1]', '127.0.0.1'],
    ['[::ffff:7f00:1]', '127.0.0.1'],
    ['[0:0:0:0:0:FFFF:a9fe:a9fe]', '169.254.169.254'],
  ]
  for (const [written, text] of accepted) {
    it(`reads ${JSON.stringify(written)} as ${text}`, () => {
      expect(canonicalHost(written)).to.deep.include({ text })
    })
  }

  const refused: readonly (readonly [string, RegExp])[] = [
    ['', /is empty/],
    ['.', /no host name/],
    ['example.org..', /no host name/],
    ['.example.org', /no host name/],
    ['a..b', /no host name/],
    ['user@example.org', /character/],
    ['example.org:80', /character/],
    ['example.org/', /character/],
    ['example.org\\', /character/],
    ['exam%70le.org', /character/],
    ['example.org\u0000.evil.test', /character/],
    ['example.org\u007F', /character/],
    ['example.org\r\nX: y', /character/],
    ['exa mple.org', /character/],
    ['*.example.org', /character/],
    ['exam％ple.org', /no host name/],
    ['-a.example.org', /no host name/],
    ['a-.example.org', /no host name/],
    [`${'a'.repeat(64)}.org`, /no host name/],
    [`${'a.'.repeat(127)}org`, /no host name/],
    ['127.1', /four decimal numbers/],
    ['0x7f.1', /four decimal numbers/],
    ['0x7f000001', /four decimal numbers/],
    ['2130706433', /four decimal numbers/],
    ['2852039166', /four decimal numbers/],
    ['0177.0.0.1', /four decimal numbers/],
    ['127.0.0.01', /four decimal numbers/],
    ['127.0.0.256', /four decimal numbers/],
    ['1.2.3.4.5', /four decimal numbers/],
    ['example.0x', /four decimal numbers/],
    ['[::1', /no IPv6/],
    ['[]', /no IPv6/],
    ['[::1]x', /no IPv6/],
    ['[fe80::1%eth0]', /no IPv6/],
    ['[127.0.0.1]', /no IPv6/],
    ['[::1]:80', /no IPv6/],
    ['::1', /character/],
  ]
  for (const [written, reason] of refused) {
    it(`refuses ${JSON.stringify(written).slice(0, 60)}`, () => {
      expect((canonicalHost(written) as { refused: string }).refused).to.match(reason)
    })
  }

  it('never reads a host as another one than fetch does', function () {
    this.timeout(60_000)
    fc.assert(
      fc.property(hostSpelling, (written) => {
        const host = canonicalHost(written)
        if ('refused' in host) return
        const byFetch = new URL(`http://${written}/`).hostname.replace(/\.$/, '')
        const canonical = byFetch.startsWith('[') ? canonicalAddress(byFetch.slice(1, -1))!.text : byFetch
        if (canonical !== host.text) throw new Error(`${host.text} is ${canonical} to fetch`)
      }),
      { numRuns: FUZZ_RUNS },
    )
  })

  it('reads its own result as itself', function () {
    this.timeout(60_000)
    fc.assert(
      fc.property(hostSpelling, (written) => {
        const host = canonicalHost(written)
        if ('refused' in host) return
        const again = canonicalHost(host.kind === 'ipv6' ? `[${host.text}]` : host.text)
        expect(again).to.deep.equal(host)
      }),
      { numRuns: FUZZ_RUNS / 10 },
    )
  })

  it('counts the groups of an IPv6 address', () => {
    fc.assert(
      fc.property(fc.ipV6(), (address) => {
        const host = canonicalAddress(address)!
        if (host.kind === 'ipv4') return
        const groups = groupsOf(host.text)
        expect(groups).to.have.length(8)
        const whole = groups.map((group) => group.toString(16)).join(':')
        expect(canonicalAddress(whole)).to.deep.equal(host)
      }),
    )
  })
})
