import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { expect } from 'chai'

import { Workspaces } from '../../../../host/control/workspaces.ts'

describe('Workspaces', () => {
  let root: string
  before(() => {
    root = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-workspaces-')))
    for (const folder of ['a/project', 'b', 'state'])
      fs.mkdirSync(path.join(root, folder), { recursive: true })
    fs.symlinkSync('a', path.join(root, 'link-to-a'))
  })
  after(() => fs.rmSync(root, { recursive: true, force: true }))

  function serving(...names: string[]): { workspaces: Workspaces; serve(...others: string[]): void } {
    const at = (name: string): string => path.join(root, name)
    let roots = names.map(at)
    return {
      workspaces: new Workspaces({ roots: () => roots, stateDirectory: at('state') }),
      serve: (...others) => void (roots = others.map(at)),
    }
  }

  it('are canonical, below a root that may be written through a link', () => {
    const { workspaces } = serving('link-to-a')
    expect(workspaces.canonical(path.join(root, 'link-to-a/project'))).to.equal(path.join(root, 'a/project'))
    expect(() => workspaces.canonical(path.join(root, 'b'))).to.throw('outside of the folders')
  })

  it("with a pattern of Node's in their path are refused: it would open what lies beside", () => {
    const { workspaces } = serving('a')
    const odd = path.join(root, 'a/x*y')
    fs.mkdirSync(odd)
    expect(() => workspaces.canonical(odd)).to.throw('it has a "*" in its path. Rename that folder')
  })

  it('that are not there are refused in words', () => {
    const { workspaces } = serving('a')
    const missing = path.join(root, 'a/missing')
    expect(() => workspaces.canonical(missing)).to.throw(
      `Cannot use workspace "${missing}": there is no such folder. Create the folder or name another one`,
    )
  })

  it('are forgotten with the root that admitted them', () => {
    const project = path.join(root, 'a/project')
    const { workspaces, serve } = serving('a')
    expect(workspaces.canonical(project)).to.equal(project)
    serve('b')
    expect(() => workspaces.canonical(project)).to.throw('outside of the folders')
    serve('b', 'a')
    expect(workspaces.canonical(project)).to.equal(project)
  })

  it('stay what they were when they were admitted, whatever lies there later', () => {
    const moved = path.join(root, 'a/moved')
    fs.mkdirSync(moved)
    const { workspaces } = serving('a')
    expect(workspaces.canonical(moved)).to.equal(moved)
    fs.rmdirSync(moved)
    fs.symlinkSync(path.join(root, 'b'), moved)
    expect(workspaces.canonical(moved)).to.equal(moved)
  })
})
