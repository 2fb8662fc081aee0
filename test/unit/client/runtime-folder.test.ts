import { expect } from 'chai'
import { dataFolders } from '../../../src/client/runtime/runtime-folder.ts'

describe('dataFolders()', () => {
  it("is the user's own, and then the machine's", () => {
    const user = { xdgDataHome: undefined, uid: 1000, home: '/home/ada' }
    expect(dataFolders(user)).to.deep.equal(['/home/ada/.local/share/phantom-ml', '/var/lib/phantom-ml'])
    expect(dataFolders({ ...user, xdgDataHome: 'relative' })).to.deep.equal(dataFolders(user))
  })

  it("is the machine's for root, whose home nobody else sees", () => {
    expect(dataFolders({ xdgDataHome: undefined, uid: 0, home: '/root' })).to.deep.equal([
      '/var/lib/phantom-ml',
    ])
  })

  it('is what XDG_DATA_HOME names, for everybody, and nothing else', () => {
    expect(dataFolders({ xdgDataHome: '/srv/data', uid: 0, home: '/root' })).to.deep.equal([
      '/srv/data/phantom-ml',
    ])
  })
})
