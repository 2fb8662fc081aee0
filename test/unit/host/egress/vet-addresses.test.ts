import { networkInterfaces } from 'node:os'
import { expect } from 'chai'
import * as fc from 'fast-check'

import { refusalOfAddress } from '../../../../host/egress/address-class.ts'
import {
  canonicalAddress,
  canonicalHost,
  type CanonicalHost,
} from '../../../../host/egress/canonical-host.ts'
import { parseHostRules } from '../../../../host/egress/host-rules.ts'
import { vetAddresses } from '../../../../host/egress/vet-addresses.ts'
import { FUZZ_RUNS } from './host-spellings.ts'

const address = (text: string): CanonicalHost => canonicalAddress(text)!

describe('refusalOfAddress()', () => {
  const refused: Readonly<Record<string, readonly string[]>> = {
    loopback: ['127.0.0.1', '127.255.255.254', '::1', '::ffff:127.0.0.1'],
    private: [
      '10.0.0.1',
      '172.16.0.1',
      '172.31.255.255',
      '192.168.1.1',
      'fc00::1',
      'fdff::1',
      '::ffff:10.0.0.1',
    ],
    carrier: ['100.64.0.1', '100.127.255.255'],
    'link-local': ['169.254.0.1', 'fe80::1', 'febf::1'],
    metadata: ['169.254.169.254', '100.100.100.200', '168.63.129.16', 'fd00:ec2::254', '::ffff:a9fe:a9fe'],
    multicast: ['224.0.0.1', '239.255.255.255', 'ff02::1'],
    broadcast: ['255.255.255.255'],
    unspecified: ['0.0.0.0', '0.1.2.3', '::'],
    reserved: ['240.0.0.1', '255.255.255.254'],
    documentation: ['192.0.2.1', '198.51.100.1', '203.0.113.1', '2001:db8::1', '3fff::1'],
    benchmarks: ['198.18.0.1', '198.19.255.255'],
    NAT64: ['64:ff9b::1.2.3.4', '64:ff9b::a9fe:a9fe', '64:ff9b:1::1'],
    '6to4': ['2002:7f00:1::', '2002:102:304::1'],
    Teredo: ['2001::1', '2001:0:4136:e378:8000:63bf:3fff:fdd2'],
    'IPv4 address in IPv6': ['::1.2.3.4'],
    ISATAP: ['2606:4700::5efe:7f00:1', '2606:4700::200:5efe:a00:1'],
    outside: ['5f00::1', '4000::1', '100::1', 'fec0::1'],
    protocols: ['192.0.0.8', '2001:20::1', '2001:2::1'],
  }
  for (const [what, addresses] of Object.entries(refused)) {
    it(`knows what is ${what}`, () => {
      for (const text of addresses) expect(refusalOfAddress(address(text))?.what, text).to.include(what)
    })
  }

  it('lets the public internet through', () => {
    for (const text of [
      '1.1.1.1',
      '93.184.215.14',
      '172.15.0.1',
      '172.32.0.1',
      '100.63.0.1',
      '100.128.0.1',
      '223.255.255.255',
      '2606:4700::1111',
      '2a00:1450:4001::200e',
      '2001:4860:4860::8888',
    ])
      expect(refusalOfAddress(address(text)), text).to.equal(null)
  })

  it('agrees with a slow reading of the ranges, for any IPv4 address in any form', function () {
    this.timeout(60_000)
    fc.assert(
      fc.property(
        fc.tuple(
          ...Array.from({ length: 4 }, () =>
            fc.oneof(fc.nat(255), fc.constantFrom(0, 10, 100, 127, 169, 172, 192, 198, 224, 254)),
          ),
        ),
        (bytes) => {
          const text = bytes.join('.')
          const isRefused = refusalOfAddress(address(text)) !== null
          expect(refusalOfAddress(address(`::ffff:${text}`)) !== null, text).to.equal(isRefused)
          if (isRefused !== slowlyRefused(bytes)) throw new Error(text)
        },
      ),
      { numRuns: FUZZ_RUNS },
    )
  })
})

function slowlyRefused([a = 0, b = 0, c = 0, d = 0]: readonly number[]): boolean {
  if (a === 0 || a === 10 || a === 127 || a >= 224) return true
  if (a === 100) return (b >= 64 && b <= 127) || (b === 100 && c === 100 && d === 200)
  if (a === 169) return b === 254
  if (a === 172) return b >= 16 && b <= 31
  if (a === 168) return b === 63 && c === 129 && d === 16
  if (a === 192) return b === 168 || (b === 0 && (c === 0 || c === 2)) || (b === 88 && c === 99)
  if (a === 198) return b === 18 || b === 19 || (b === 51 && c === 100)
  return a === 203 && b === 0 && c === 113
}

describe('vetAddresses()', () => {
  const host = (text: string): CanonicalHost => canonicalHost(text) as CanonicalHost
  function vet(resolved: string[], rules: string[] = ['api.test'], own: string[] = [], name = 'api.test') {
    const target = { host: host(name), port: 80 }
    return vetAddresses({ target, rules: parseHostRules(rules), resolved, own: new Set(own) })
  }

  it('answers every address of a name when all are public', () => {
    const answer = vet(['1.1.1.1', '2606:4700::1111'])
    expect(answer).to.deep.equal({ dial: [address('1.1.1.1'), address('2606:4700::1111')] })
  })
  it('refuses a name as soon as one of its addresses is not public, and names the line that would allow it', () => {
    expect(vet(['1.1.1.1', '10.0.0.7'])).to.deep.equal({
      refused: 'resolves to 10.0.0.7, a private address',
      missing: 'network:10.0.0.7:80',
    })
    expect(vet(['::ffff:169.254.169.254'])).to.have.property('missing', 'network:169.254.169.254:80')
  })
  it('dials what the manifest names by address, on that port', () => {
    expect(vet(['10.0.0.7'], ['api.test', '10.0.0.7'])).to.have.property('dial')
    expect(vet(['::1'], ['api.test', '[::1]:80'])).to.have.property('dial')
    expect(vet(['10.0.0.7'], ['api.test', '10.0.0.7:81'])).to.have.property('refused')
    expect(vet(['10.0.0.7'], ['*'])).to.have.property('refused')
  })
  it('dials no address that is no machine, also when it is named', () => {
    for (const text of ['0.0.0.0', '255.255.255.255', '224.0.0.1'])
      expect(vet([text], ['api.test', text]), text).to.have.property('missing', null)
  })
  it("refuses this machine's own addresses", () => {
    expect(vet(['93.184.215.14'], ['api.test'], ['93.184.215.14'])).to.have.property('refused')
    const own = Object.values(networkInterfaces()).flatMap((list) => list?.map((one) => one.address) ?? [])
    for (const text of own.filter((one) => !one.includes('%')))
      expect(vet([text], ['api.test'], own), text).to.have.property('refused')
  })
  it('refuses a name without an address, and what is none', () => {
    expect(vet([])).to.have.property('refused', 'resolves to no address')
    expect(vet(['fe80::1%eth0'])).to.have.property('refused', 'resolves to what is no address')
  })
  it('says of an address that it is one', () => {
    expect(vet(['10.0.0.7'], ['*'], [], '10.0.0.7')).to.have.property('refused', 'is a private address')
  })
})
