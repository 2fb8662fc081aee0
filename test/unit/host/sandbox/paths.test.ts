import { expect } from 'chai'

import { ancestors, contains, foldersBetween, outermost } from '../../../../host/sandbox/paths.ts'

describe('paths of a sandbox', () => {
  it('contain themselves and what lies below, not what begins alike', () => {
    expect([contains('/a', '/a'), contains('/a', '/a/b'), contains('/', '/a')]).to.deep.equal([
      true,
      true,
      true,
    ])
    expect([contains('/a', '/ab'), contains('/a/b', '/a'), contains('/a', '/')]).to.deep.equal([
      false,
      false,
      false,
    ])
  })

  it('have folders between and above them, outermost first', () => {
    expect(foldersBetween('/a', '/a/b/c/d')).to.deep.equal(['/a/b', '/a/b/c'])
    expect(foldersBetween('/a', '/a/b')).to.deep.equal([])
    expect(foldersBetween('/a', '/a')).to.deep.equal([])
    expect(foldersBetween('/x', '/a/b')).to.deep.equal([])
    expect(ancestors('/a/b/c')).to.deep.equal(['/a', '/a/b'])
    expect(ancestors('/a')).to.deep.equal([])
  })

  it('reduce to the outermost', () => {
    expect(outermost(['/a/b', '/a', '/ab', '/a'])).to.deep.equal(['/a', '/ab'])
    expect(outermost(['/a/b', '/c'], ['/a/b'])).to.deep.equal(['/c'])
  })
})
