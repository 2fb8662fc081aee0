import { once } from 'node:events'
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { expect } from 'chai'
import { openChannel } from '../../../../host/process/runner-channel.ts'
import { line } from '../../../helpers/raw-client.ts'

/** More than is kept for a peer that does not read, in 1 MB each. */
const REQUESTS = 64

describe('The channel to a process that sends messages', () => {
  it('is given up when nobody reads what is answered', async () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-channel-'))
    const server = net.createServer().listen(path.join(folder, 'socket'))
    try {
      await once(server, 'listening')
      const peer = net.connect(path.join(folder, 'socket'))
      const [own] = (await once(server, 'connection')) as [net.Socket]
      const violation = new Promise<string>((resolve) => {
        const connection = openChannel(own, {
          maxPayloadBytes: 1024,
          mayFree: () => false,
          onNotification: () => true,
          onMessage: () => ({ message_id: 'x'.repeat(1024 * 1024) }),
          onViolation: (what) => {
            connection.destroy()
            resolve(what)
          },
          onClose: () => {},
          onDrain: () => {},
        })
      })
      const request = line({ id: 1, method: 'send_message', params: { recipient: 'a', type: 'b' } })
      peer.pause()
      peer.write(request.repeat(REQUESTS))
      expect(await violation).to.equal('it sends messages and does not read what it is answered')
      peer.destroy()
    } finally {
      server.close()
      fs.rmSync(folder, { recursive: true })
    }
  })
})
