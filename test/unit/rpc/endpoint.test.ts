import path from 'node:path'
import { expect } from 'chai'

import { socketFolderOf } from '../../../src/rpc/endpoint.ts'

describe('socketFolderOf()', () => {
  it('lies in the state folder where a socket in it has a path that the kernel takes', () => {
    expect(socketFolderOf('/srv/app/.phantom/plugins', 'egress')).to.equal('/srv/app/.phantom/plugins/egress')
  })

  it('is a short one of its own elsewhere, which no other state folder has', () => {
    const [one, other] = ['a', 'b'].map((name) =>
      socketFolderOf(`/${name.repeat(95)}/.phantom/plugins`, 'egress'),
    )
    expect(Buffer.byteLength(path.join(one!, '123456789.sock'))).to.be.at.most(107)
    expect(one).to.not.equal(other)
  })
})
