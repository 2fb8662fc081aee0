import { expect } from 'chai'

import { NameResolver } from '../../host/egress/name-resolver.ts'
import { NameServer } from '../helpers/name-server.ts'
import { until } from '../helpers/daemon.ts'

describe('NameResolver', () => {
  let server: NameServer
  let resolver: NameResolver
  let overrides: Map<string, readonly string[]>

  beforeEach(async () => {
    server = new NameServer({
      'api.test': [['1.1.1.1', '1.0.0.1'], ['10.0.0.7']],
      'empty.test': [[]],
      localhost: [['9.9.9.9']],
    })
    const address = await server.listen()
    overrides = new Map([['fixed.test', ['10.0.0.1']]])
    resolver = new NameResolver({ overrides: () => overrides, servers: () => [address] })
  })
  afterEach(() => {
    resolver.close()
    server.close()
  })

  it('asks a name server for all addresses, and once for those who ask at the same time', async () => {
    const answers = await Promise.all([resolver.resolve('api.test'), resolver.resolve('api.test')])
    expect(answers).to.deep.equal([
      ['1.1.1.1', '1.0.0.1'],
      ['1.1.1.1', '1.0.0.1'],
    ])
    expect(server.asked).to.deep.equal(['api.test'])
  })

  it('asks again when the answer has had its time', async () => {
    await resolver.resolve('api.test')
    await until(async () => (await resolver.resolve('api.test'))[0] === '10.0.0.7', 'the second answer')
  })

  it('says so when there is no such name, or none of its addresses', async () => {
    for (const name of ['nothing.test', 'empty.test'])
      expect(await resolver.resolve(name).catch((error: Error) => error.message), name).to.match(
        /ENOTFOUND|ENODATA/,
      )
  })

  it('takes what the operator wrote before what a name server says, also when it changes', async () => {
    expect(await resolver.resolve('fixed.test')).to.deep.equal(['10.0.0.1'])
    overrides = new Map([['fixed.test', ['10.0.0.2']]])
    expect(await resolver.resolve('fixed.test')).to.deep.equal(['10.0.0.2'])
    expect(server.asked).to.deep.equal([])
  })

  it('asks nobody what localhost is', async () => {
    expect(await resolver.resolve('localhost')).to.deep.equal(['127.0.0.1'])
    expect(await resolver.resolve('a.localhost')).to.deep.equal(['127.0.0.1'])
    expect(server.asked).to.deep.equal([])
  })
})
