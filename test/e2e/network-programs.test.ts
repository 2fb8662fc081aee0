import fs from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect } from 'chai'
import { TestDaemon } from '../helpers/daemon.ts'
import { skipBecause } from '../helpers/skip.ts'

interface Ended {
  code: number | string
  stdout: string
  stderr: string
}

describe('A program that a plugin starts', () => {
  const server = http.createServer((request, response) => response.end(`hello ${request.url}`))
  let daemon: TestDaemon
  let port: number

  const curl = async (...args: string[]): Promise<Ended> => {
    const { result, error } = await daemon.call<Ended>('networker', 'curl', { args })
    if (result === null) throw new Error(error ?? 'no result')
    return result
  }

  before(async function () {
    if (!fs.existsSync('/usr/bin/curl')) skipBecause.call(this, 'curl is not installed')
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    ;({ port } = server.address() as AddressInfo)
    daemon = await TestDaemon.start({
      plugins: ['networker'],
      prepare: (world) => {
        const file = world.path('plugins/networker/plugin.toml')
        const permissions = ['process', `network:127.0.0.1:${port}`]
        const text = fs.readFileSync(file, 'utf8')
        fs.writeFileSync(
          file,
          text.replace('permissions = []', `permissions = ${JSON.stringify(permissions)}`),
        )
      },
    })
    const { tier } = await daemon.system.get_status()
    if (tier !== 'namespace')
      skipBecause.call(this, 'without a network namespace nobody is granted the network')
    await daemon.approve('networker')
  })
  after(async () => {
    await daemon?.stop()
    server.closeAllConnections()
    server.close()
  })

  it('reaches a granted host by HTTP_PROXY, and is counted', async () => {
    expect(await curl(`http://127.0.0.1:${port}/a`)).to.include({ code: 0, stdout: 'hello /a' })
    const tunnelled = await curl('--proxytunnel', `http://127.0.0.1:${port}/b`)
    expect(tunnelled).to.include({ code: 0, stdout: 'hello /b' })
    const { network_requests: requests } = await daemon.call('networker', 'curl', {
      args: [`http://127.0.0.1:${port}/c`, '-o', '/dev/null'],
    })
    expect(requests).to.equal(1)
  })

  it('is refused by the proxy what was not granted', async () => {
    const plain = await curl('http://evil.test/')
    expect(plain.stdout).to.include('network:evil.test')
    const secure = await curl('https://evil.test/')
    expect(secure.stderr).to.match(/CONNECT|403/)
  })

  it('can connect nowhere without the proxy', async () => {
    expect((await curl('--noproxy', '*', `http://127.0.0.1:${port}/`)).stderr).to.match(/connect/i)
    expect((await curl('--noproxy', '*', 'http://192.0.2.1/')).stderr).to.match(/connect|unreachable/i)
    expect((await curl('--noproxy', '*', 'http://example.test/')).stderr).to.match(/resolve/i)
  })
})
