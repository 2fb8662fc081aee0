import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect } from 'chai'
import { TestDaemon } from '../helpers/daemon.ts'
import { needPython } from '../helpers/native-programs.ts'
import { skipBecause } from '../helpers/skip.ts'
import { addSections } from '../helpers/supervised.ts'

const ID = 'native_python'

describe('A native plugin with a right to the network', function () {
  this.timeout(60_000)
  let server: http.Server
  let daemon: TestDaemon | null = null
  let port = 0

  before(needPython)
  before(async function () {
    server = http.createServer((request, response) => response.end(`hello from ${request.url}`))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    ;({ port } = server.address() as AddressInfo)
    daemon = await TestDaemon.start({
      plugins: ['native-python'],
      prepare: (world) =>
        addSections(world, ID, `[permissions]\npermissions = ["network:127.0.0.1:${port}"]`),
    })
    if ((await daemon.system.get_status()).tier !== 'namespace')
      skipBecause.call(this, 'native plugins need namespaces')
    await daemon.approve(ID)
  })
  after(async () => {
    await daemon?.stop()
    server.closeAllConnections()
    server.close()
  })

  const call = async (operation: string, input: unknown): Promise<unknown> =>
    (await daemon!.call(ID, operation, input)).result

  it('reaches what was granted by the proxy that its environment names, and is counted', async () => {
    const { result, network_requests: count } = await daemon!.call(ID, 'fetch', `http://127.0.0.1:${port}/a`)
    expect([result, count]).to.deep.equal(['hello from /a', 1])
    expect(await call('environment', null)).to.deep.include({
      HTTP_PROXY: 'http://127.0.0.1:3128',
      no_proxy: '',
    })
  })

  it('is refused what was not, and its caller is told which permission is missing', async () => {
    const { code, details } = await daemon!.refusal(ID, 'fetch', 'http://evil.test/')
    expect([code, details['missing']]).to.deep.equal(['PERMISSION_DENIED', ['network:evil.test']])
  })

  it('can connect nowhere by itself', async () => {
    expect(await call('connect', ['127.0.0.1', port])).to.equal('ECONNREFUSED')
    expect(await call('connect', ['192.0.2.1', 80])).to.equal('ENETUNREACH')
  })

  it('has no descriptor left of how the way out was opened, and cannot open it anew', async () => {
    const open = (await call('names', '/proc/self/fd')) as string[]
    // 4 is the folder that is listed.
    expect(open).to.deep.equal(['0', '1', '2', '3', '4'])
    expect(await call('open_socket', [16, 3, 0])).to.equal('EAFNOSUPPORT')
  })
})
