import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { discoverPlugins, type DiscoveredPlugin } from '../../host/registry/discover-plugins.ts'
import { issueText } from '../../src/contract/manifest/issue-list.ts'
import { manifestText, plugin, write } from '../helpers/plugin-folders.ts'

describe('discoverPlugins()', () => {
  let root = ''

  before(() => {
    root = realpathSync(mkdtempSync(join(tmpdir(), 'phantom-registry-')))
  })

  after(() => {
    rmSync(root, { recursive: true, force: true })
  })

  function make(path: string, id: string, more?: string): string {
    return plugin(join(root, path), id, more)
  }

  function source(name: string, builtin = false): { directory: string; builtin: boolean } {
    mkdirSync(join(root, name), { recursive: true })
    return { directory: join(root, name), builtin }
  }

  function listed(plugins: readonly DiscoveredPlugin[]): string[] {
    return plugins.map(({ id, directory, manifest }) => {
      return `${id} ${directory.slice(root.length + 1)} ${manifest === null ? 'invalid' : 'valid'}`
    })
  }

  it('lists folders that have a manifest, by name, and nothing else', async () => {
    const plain = source('plain')
    make('plain/b', 'second')
    make('plain/a', 'first')
    make('plain/.hidden', 'hidden')
    make('plain/node_modules', 'modules')
    make('plain/node_modules/deep', 'deep')
    write(join(root, 'plain/empty/readme.md'), '')
    write(join(root, 'plain/plugin.toml'), manifestText('itself'))
    expect(listed(await discoverPlugins([plain]))).to.deep.equal([
      'first plain/a valid',
      'second plain/b valid',
    ])
  })

  it('lists broken plugins beside healthy ones, under the id they claim or their folder', async () => {
    const mixed = source('mixed', true)
    make('mixed/a', 'claimed', 'autor = 1')
    make('mixed/b', 'Not An Id')
    write(join(root, 'mixed/c/plugin.toml'), '\0')
    mkdirSync(join(root, 'mixed/d/plugin.toml'), { recursive: true })
    make('mixed/e', 'healthy')
    const plugins = await discoverPlugins([mixed])
    expect(listed(plugins)).to.deep.equal([
      'claimed mixed/a invalid',
      'b mixed/b invalid',
      'c mixed/c invalid',
      'd mixed/d invalid',
      'healthy mixed/e valid',
    ])
    for (const { manifest, issues, builtin } of plugins) {
      expect(issues.length > 0).to.equal(manifest === null)
      expect(builtin).to.equal(true)
    }
  })

  it('gives an id to the first valid plugin that claims it and lists the others beside it', async () => {
    const [mine, theirs] = [source('mine'), source('theirs', true)]
    make('mine/a_broken', 'twin', 'autor = 1')
    const winner = make('mine/b', 'twin')
    const loser = make('mine/c', 'twin')
    make('theirs/c', 'twin')
    make('theirs/d', 'other')
    const plugins = await discoverPlugins([mine, theirs])
    expect(listed(plugins)).to.deep.equal([
      'twin@a_broken mine/a_broken invalid',
      'twin mine/b valid',
      'twin@c mine/c invalid',
      'twin@c#2 theirs/c invalid',
      'other theirs/d valid',
    ])
    expect(plugins[0]?.issues).to.have.length(2)
    expect(plugins[2]?.issues.map(issueText)).to.deep.equal([
      `${loser}/plugin.toml:2:1: Cannot use "plugin.id": "twin" is already the id of the plugin in "${winner}", this one lies in "${loser}". Change one of the ids, or remove one of the folders`,
    ])
    const swapped = await discoverPlugins([theirs, mine])
    expect(listed(swapped)[0]).to.equal('twin theirs/c valid')
  })

  it('gives an id to the folder of that name before any other that claims it', async () => {
    const folders = source('namesakes')
    make('namesakes/a', 'twin')
    make('namesakes/twin', 'twin')
    expect(listed(await discoverPlugins([folders]))).to.deep.equal([
      'twin@a namesakes/a invalid',
      'twin namesakes/twin valid',
    ])
  })

  it('keeps a folder without an id from taking the id of a healthy plugin', async () => {
    const folders = source('folders')
    write(join(root, 'folders/name/plugin.toml'), '')
    make('folders/other', 'name')
    expect(listed(await discoverPlugins([folders]))).to.deep.equal([
      'name@name folders/name invalid',
      'name folders/other valid',
    ])
  })

  it('lists hostile folder names as ids that fit the wire and steer no terminal', async () => {
    const odd = source('odd')
    write(join(root, 'odd', `\u001b[2J\u202e${'x'.repeat(200)}`, 'plugin.toml'), '')
    write(join(root, 'odd', `\u001b[3J\u202e${'x'.repeat(200)}`, 'plugin.toml'), '')
    const ids = (await discoverPlugins([odd])).map(({ id }) => id)
    expect(new Set(ids).size).to.equal(2)
    for (const id of ids) expect(id).to.match(/^\?\[[23]J\?x+$/)
    for (const id of ids) expect(id.length).to.be.below(129)
  })

  it('follows links inside the plugin directory only', async () => {
    const links = source('links')
    make('outside_plugin', 'outside')
    make('links/real', 'real')
    make('links/.store/kept', 'kept')
    write(join(root, 'not_a_plugin/readme.md'), '')
    symlinkSync('real', join(root, 'links/a_again'))
    symlinkSync('.store/kept', join(root, 'links/b_kept'))
    symlinkSync('../outside_plugin', join(root, 'links/c_outside'))
    symlinkSync('nowhere', join(root, 'links/d_dangling'))
    symlinkSync('../not_a_plugin', join(root, 'links/e_other'))
    symlinkSync('.', join(root, 'links/f_itself'))
    const plugins = await discoverPlugins([links])
    expect(listed(plugins)).to.deep.equal([
      'kept links/.store/kept valid',
      'c_outside links/c_outside invalid',
      'd_dangling links/d_dangling invalid',
      'real links/real valid',
    ])
    expect(plugins[1]?.issues[0]?.message).to.equal(
      `Cannot load the plugin folder "c_outside": it is a link that leaves the plugin directory, to "${root}/outside_plugin". Put the folder itself there`,
    )
    expect(plugins[2]?.issues[0]?.message).to.match(/is a link that leads nowhere/)
  })

  it('reads a directory that is given twice once', async () => {
    const twice = source('twice')
    make('twice/a', 'a')
    symlinkSync('twice', join(root, 'twice_link'))
    const sources = [
      twice,
      { directory: join(root, 'twice_link'), builtin: true },
      source('twice/a/..', true),
    ]
    const plugins = await discoverPlugins(sources)
    expect(listed(plugins)).to.deep.equal(['a twice/a valid'])
    expect(plugins[0]?.builtin).to.equal(false)
  })

  it('says which plugin directory is missing', async () => {
    const directory = join(root, 'absent')
    let caught: unknown
    await discoverPlugins([source('plain'), { directory, builtin: false }]).catch((error: unknown) => {
      caught = error
    })
    expect(caught).to.include({ code: 'PLUGIN_DIRECTORY_NOT_FOUND' })
    expect(String(caught)).to.include(
      `Cannot read plugin directory "${directory}": it does not exist. Create it`,
    )
  })

  it('keeps the order and every plugin of two hundred', async () => {
    const many = source('many')
    const names = Array.from({ length: 200 }, (_, index) => `p${String(index).padStart(3, '0')}`)
    for (const name of names) make(`many/${name}`, name)
    expect((await discoverPlugins([many])).map(({ id }) => id)).to.deep.equal(names)
  })
})
