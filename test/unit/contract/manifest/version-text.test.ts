import { expect } from 'chai'
import { isSemanticVersion, isVersionRange } from '../../../../src/contract/manifest/version-text.ts'

describe('isSemanticVersion()', () => {
  it('takes what semver.org takes', () => {
    for (const text of ['0.0.0', '1.2.3', '1.2.3-rc.1', '1.0.0-0a.-b+build.01', '999999.0.1+x']) {
      expect(isSemanticVersion(text), text).to.equal(true)
    }
    const long = `1.0.0-${'a'.repeat(300)}`
    for (const text of [
      '',
      '1',
      '1.2',
      'v1.2.3',
      '01.2.3',
      '1.2.3-',
      '1.2.3-01',
      '1.2.3+',
      ' 1.2.3',
      '1.2.3\n',
      long,
    ]) {
      expect(isSemanticVersion(text), text).to.equal(false)
    }
  })
})

describe('isVersionRange()', () => {
  it('takes the range grammar of npm, and no tags, addresses or empty text', () => {
    const ranges = [
      '*',
      '1',
      '1.x',
      '^1.0.0',
      '~1.2',
      '~>1',
      '>=1.2.3 <2',
      '>= 1 < 2',
      '1.2 - 2.3.4',
      '^1 || ^2',
      'v1',
      '=1.0.0-rc.1+b',
    ]
    for (const text of ranges) expect(isVersionRange(text), text).to.equal(true)
    for (const text of [
      '',
      ' ',
      '||',
      '1 ||',
      'latest',
      'file:../x',
      '1.2.3.4',
      '^^1',
      '=>1',
      '>',
      '01',
      '1 -',
      '1-2-',
    ]) {
      expect(isVersionRange(text), text).to.equal(false)
    }
  })
})
