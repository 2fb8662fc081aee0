import dgram from 'node:dgram'
import { expect } from 'chai'

import { NameResolver, type ResolveName } from '../../host/egress/name-resolver.ts'
import { NameServer } from '../helpers/name-server.ts'
import { until } from '../helpers/daemon.ts'

function addresses(count: number): string[] {
  return Array.from({ length: count }, (_, at) => `1.1.1.${at}`)
}

describe('NameResolver', () => {
  let server: NameServer
  let resolver: NameResolver
  let resolve: ResolveName
  let overrides: Map<string, readonly string[]>

  beforeEach(async () => {
    server = new NameServer({
      'api.test': [['1.1.1.1', '1.0.0.1'], ['10.0.0.7']],
      'empty.test': [[]],
      'many.test': [addresses(64), addresses(65)],
      localhost: [['9.9.9.9']],
    })
    const address = await server.listen()
    overrides = new Map([['fixed.test', ['10.0.0.1']]])
    resolver = new NameResolver({ overrides: () => overrides, servers: () => [address] })
    resolve = resolver.forOne()
  })
  afterEach(() => {
    resolver.close()
    server.close()
  })

  it('asks a name server for all addresses, and once for those who ask at the same time', async () => {
    const answers = await Promise.all([resolve('api.test'), resolve('api.test')])
    expect(answers).to.deep.equal([
      ['1.1.1.1', '1.0.0.1'],
      ['1.1.1.1', '1.0.0.1'],
    ])
    expect(server.asked).to.deep.equal(['api.test'])
  })

  it('asks again when the answer has had its time', async () => {
    await resolve('api.test')
    await until(async () => (await resolve('api.test'))[0] === '10.0.0.7', 'the second answer')
  })

  it('says so when there is no such name, or none of its addresses', async () => {
    for (const name of ['nothing.test', 'empty.test'])
      expect(await resolve(name).catch((error: Error) => error.message), name).to.match(/ENOTFOUND|ENODATA/)
  })

  it('takes what the operator wrote before what a name server says, also when it changes', async () => {
    expect(await resolve('fixed.test')).to.deep.equal(['10.0.0.1'])
    overrides = new Map([['fixed.test', ['10.0.0.2']]])
    expect(await resolve('fixed.test')).to.deep.equal(['10.0.0.2'])
    expect(server.asked).to.deep.equal([])
  })

  it('asks nobody what localhost is', async () => {
    expect(await resolve('localhost')).to.deep.equal(['127.0.0.1'])
    expect(await resolve('a.localhost')).to.deep.equal(['127.0.0.1'])
    expect(server.asked).to.deep.equal([])
  })

  it('takes no name with so many addresses that judging them would keep everybody waiting', async () => {
    expect(await resolve('many.test')).to.have.length(64)
    await until(
      async () => /more than 64/.test(await settled(resolve('many.test'))),
      'the next answer to be refused',
    )
  })

  it('lets nobody keep the others from asking', async () => {
    const silent = dgram.createSocket('udp4')
    await new Promise<void>((done) => silent.bind(0, '127.0.0.1', done))
    const servers = [`127.0.0.1:${silent.address().port}`]
    const waiting = new NameResolver({ overrides: () => overrides, servers: () => servers })
    try {
      const [greedy, other] = [waiting.forOne(), waiting.forOne()]
      const ends = Array.from({ length: 100 }, (_, at) => settled(greedy(`${at}.slow.test`)))
      expect(await ends[99]).to.equal('too many names are being looked up')
      const asked = settled(other('api.test'))
      waiting.close()
      expect(await asked).to.match(/ECANCELLED/)
      await Promise.all(ends)
    } finally {
      silent.close()
    }
  })
})

function settled(answer: Promise<unknown>): Promise<string> {
  return answer.then(String, (error: Error) => error.message)
}
