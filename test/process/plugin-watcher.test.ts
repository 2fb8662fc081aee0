import { expect } from 'chai'
import fs from 'node:fs'
import path from 'node:path'
import { until } from '../helpers/daemon.ts'
import { DEBOUNCE_MS, makePlugin, WatchedFolders } from './plugin-watcher-driver.ts'

describe('PluginWatcher', () => {
  const folders = new WatchedFolders()
  const { base } = folders

  afterEach(() => folders.closeWatchers())
  after(() => folders.remove())

  describe('manifests', () => {
    it('makes one report of a hundred writes in a burst', async () => {
      const watched = await folders.open()
      const { manifest } = watched
      for (let index = 0; index < 100; index += 1) fs.appendFileSync(manifest, `# ${index}\n`)
      await watched.expectReports('changed one')
    })

    it('says nothing of what was there when it started, and of files that are not its business', async () => {
      const watched = await folders.open()
      const { one, root } = watched
      fs.writeFileSync(path.join(one, 'notes.txt'), 'x')
      fs.writeFileSync(path.join(root, 'README.md'), 'x')
      fs.mkdirSync(path.join(root, '.hidden'))
      fs.writeFileSync(path.join(root, '.hidden', 'plugin.toml'), 'x')
      await watched.expectReports()
    })

    it('takes a save by renaming as one change', async () => {
      const watched = await folders.open()
      const { one, manifest } = watched
      fs.writeFileSync(path.join(one, 'plugin.toml.tmp'), 'x')
      fs.renameSync(path.join(one, 'plugin.toml.tmp'), manifest)
      await watched.expectReports('changed one')
    })

    it('takes a manifest that is moved away and comes back at once as a change, not as a removal', async () => {
      const watched = await folders.open()
      const { manifest } = watched
      fs.renameSync(manifest, `${manifest}~`)
      fs.writeFileSync(manifest, 'new')
      fs.rmSync(`${manifest}~`)
      await watched.expectReports('changed one')
    })

    it('reports a half-written file, and once more when the rest has come', async () => {
      const watched = await folders.open()
      const { manifest, reports } = watched
      fs.writeFileSync(manifest, '[plug')
      await until(() => reports.includes('changed one'), 'the change of one')
      fs.appendFileSync(manifest, 'in]\n')
      await watched.expectReports('changed one', 'changed one')
    })

    it('reports a folder that is never quiet, and never two reports of it at once', async () => {
      let running = 0
      let most = 0
      let reported = 0
      const gate = Promise.withResolvers<void>()
      const { manifest } = await folders.open({
        debounceMs: 60_000,
        maxWaitMs: 3 * DEBOUNCE_MS,
        onChanged: async () => {
          running += 1
          most = Math.max(most, running)
          await (reported === 0 ? gate.promise : undefined)
          running -= 1
          reported += 1
        },
      })
      const writing = setInterval(() => fs.appendFileSync(manifest, '#'), DEBOUNCE_MS / 8)
      try {
        await until(() => running === 1, 'the first report')
        const size = fs.statSync(manifest).size
        // More than the longest wait, and the first report still runs.
        await until(() => fs.statSync(manifest).size > size + 60, 'sixty more writes')
        expect({ most, reported }).to.eql({ most: 1, reported: 0 })
        gate.resolve()
        await until(() => reported >= 3, 'three reports')
      } finally {
        clearInterval(writing)
      }
      expect(most).to.equal(1)
    })

    it('goes on after a callback that throws', async () => {
      const failures: string[] = []
      let calls = 0
      const { manifest, watcher } = await folders.open({
        onChanged: () => {
          calls += 1
          throw new Error(`no ${calls}`)
        },
        onError: (error) => failures.push(String(error)),
      })
      for (const expected of [1, 2]) {
        fs.appendFileSync(manifest, '#')
        await until(() => failures.length === expected, 'a failure')
      }
      expect(failures).to.eql(['Error: no 1', 'Error: no 2'])
      await watcher.close()
    })
  })

  describe('folders that come and go', () => {
    it('reports a new folder once its manifest is there', async () => {
      const watched = await folders.open()
      const { root } = watched
      fs.mkdirSync(path.join(root, 'two'))
      fs.writeFileSync(path.join(root, 'two', 'index.ts'), 'x')
      await watched.expectReports()
      fs.writeFileSync(path.join(root, 'two', 'plugin.toml'), 'x')
      await watched.expectReports('added two')
      fs.appendFileSync(path.join(root, 'two', 'plugin.toml'), 'x')
      await watched.expectReports('changed two')
    })

    it('reports a whole folder that is copied or moved in as one addition', async () => {
      const watched = await folders.open()
      const { root } = watched
      makePlugin(path.join(base, 'moved'))
      fs.renameSync(path.join(base, 'moved'), path.join(root, 'moved'))
      fs.cpSync(path.join(root, 'moved'), path.join(root, 'copied'), { recursive: true })
      await watched.expectReports('added copied', 'added moved')
    })

    it('reports a removed manifest and a removed folder', async () => {
      const watched = await folders.open()
      const { root, one, manifest } = watched
      fs.rmSync(manifest)
      await watched.expectReports('removed one')
      fs.writeFileSync(manifest, 'x')
      await watched.expectReports('added one')
      fs.rmSync(one, { recursive: true })
      await watched.expectReports('removed one')
      makePlugin(path.join(root, 'one'))
      await watched.expectReports('added one')
    })

    it('takes a folder that is swapped for another as a change, and watches the new one', async () => {
      const watched = await folders.open()
      const { root, one, manifest, watcher } = watched
      await watcher.watchDeeply(one)
      makePlugin(path.join(root, '.next'))
      fs.renameSync(one, path.join(root, '.before'))
      fs.renameSync(path.join(root, '.next'), one)
      await watched.expectReports('changed one')
      await watcher.watchDeeply(one)
      fs.writeFileSync(path.join(one, 'src', 'deep.ts'), 'new')
      await watched.expectReports('changed one')
      fs.appendFileSync(manifest, '#')
      await watched.expectReports('changed one')
      fs.appendFileSync(path.join(root, '.before', 'plugin.toml'), '#')
      await watched.expectReports()
    })

    it('survives that the plugin directory itself is deleted, and made again', async () => {
      const watched = await folders.open()
      const { root, errors } = watched
      for (let round = 0; round < 3; round += 1) {
        fs.rmSync(root, { recursive: true })
        await watched.expectOnly('removed one', 'removed sentinel')
        makePlugin(path.join(root, 'one'))
        makePlugin(path.join(root, 'sentinel'))
        await watched.expectOnly('added one', 'added sentinel')
      }
      fs.appendFileSync(path.join(root, 'one', 'plugin.toml'), '#')
      await watched.expectReports('changed one')
      expect(errors).to.eql([])
    })

    it('waits for a plugin directory that does not exist yet, with the folders above it', async () => {
      const root = path.join(base, 'later', 'on', 'plugins')
      const watched = await folders.open({ pluginDirectories: [root] })
      makePlugin(path.join(root, 'one'))
      await watched.expectOnly('added ../later/on/plugins/one')
    })

    it('follows a plugin directory that is a link to the release in use', async () => {
      for (const name of ['old', 'new']) makePlugin(path.join(base, `release-${name}`, `from-${name}`))
      const link = path.join(base, 'current')
      fs.symlinkSync('release-old', link)
      const watched = await folders.open({ pluginDirectories: [link] })
      fs.symlinkSync('release-new', `${link}.next`)
      fs.renameSync(`${link}.next`, link)
      await watched.expectOnly('removed ../release-old/from-old', 'added ../release-new/from-new')
    })
  })

  describe('depth', () => {
    it('sees no nested file of a light folder, every one of a deep folder, and none when it is light again', async () => {
      const watched = await folders.open()
      const { one, watcher } = watched
      const nested = path.join(one, 'src', 'deep.ts')
      fs.writeFileSync(nested, 'light')
      await watched.expectReports()
      await watcher.watchDeeply(one)
      fs.writeFileSync(nested, 'deep')
      await watched.expectReports('changed one')
      watcher.watchLightly(one)
      fs.writeFileSync(nested, 'light')
      await watched.expectReports()
      fs.appendFileSync(path.join(one, 'plugin.toml'), '#')
      await watched.expectReports('changed one')
    })

    it('sees what is made, removed and renamed below a deep folder, in new folders, too', async () => {
      const watched = await folders.open()
      const { one, watcher } = watched
      await watcher.watchDeeply(one)
      fs.mkdirSync(path.join(one, 'new', 'inner'), { recursive: true })
      await watched.expectReports('changed one')
      fs.writeFileSync(path.join(one, 'new', 'inner', 'a.ts'), 'x')
      await watched.expectReports('changed one')
      fs.renameSync(path.join(one, 'new', 'inner', 'a.ts'), path.join(one, 'new', 'b.ts'))
      await watched.expectReports('changed one')
      fs.rmSync(path.join(one, 'new'), { recursive: true })
      await watched.expectReports('changed one')
    })

    it('sees new text under an old time stamp, as unpacked packages have it', async () => {
      const watched = await folders.open()
      const { one, watcher } = watched
      const file = path.join(one, 'src', 'deep.ts')
      const packed = new Date('1985-10-26T08:15:00Z')
      fs.utimesSync(file, packed, packed)
      await watcher.watchDeeply(one)
      for (const text of ['a', 'b']) {
        fs.writeFileSync(file, text)
        fs.utimesSync(file, new Date(), packed)
        await watched.expectReports('changed one')
      }
    })

    it('ignores what editors and version control write, and what lies behind links', async () => {
      const watched = await folders.open()
      const { root, one, watcher } = watched
      const outside = path.join(base, `outside-${path.basename(root)}`)
      fs.mkdirSync(outside)
      fs.symlinkSync(outside, path.join(one, 'linked'))
      for (const folder of ['.git', '.phantom', 'node_modules/.cache']) {
        fs.mkdirSync(path.join(one, folder), { recursive: true })
      }
      await watcher.watchDeeply(one)
      for (const name of [
        '.git/index',
        '.phantom/state',
        'node_modules/.cache/x',
        'src/deep.ts~',
        'src/.deep.ts.swp',
      ]) {
        fs.writeFileSync(path.join(one, name), 'x')
      }
      fs.writeFileSync(path.join(one, '4913'), '')
      fs.rmSync(path.join(one, '4913'))
      fs.symlinkSync('user@machine.1', path.join(one, 'src', '.#deep.ts'))
      fs.writeFileSync(path.join(outside, 'file.ts'), 'x')
      await watched.expectReports()
    })

    it('watches the entry of a light folder through folders that are deleted and built anew', async () => {
      const watched = await folders.open()
      const { one, watcher } = watched
      const built = path.join(one, 'dist', 'js')
      watcher.setLightFiles(one, ['dist/js/index.js', '../sentinel/index.ts'])
      await watched.expectReports()
      for (let round = 0; round < 2; round += 1) {
        fs.mkdirSync(built, { recursive: true })
        fs.writeFileSync(path.join(built, 'index.js'), 'x')
        await watched.expectReports('changed one')
        fs.writeFileSync(path.join(built, 'index.js'), 'y')
        await watched.expectReports('changed one')
        fs.writeFileSync(path.join(built, 'other.js'), 'x')
        await watched.expectReports()
        fs.rmSync(path.join(one, 'dist'), { recursive: true })
        await watched.expectReports('changed one')
      }
      watcher.setLightFiles(one, [path.join(one, 'index.ts')])
      fs.writeFileSync(path.join(one, 'index.ts'), 'new')
      await watched.expectReports('changed one')
    })

    it('follows the link of a plugin folder, and notices where it leads now', async () => {
      const watched = await folders.open()
      const { root, watcher } = watched
      for (const version of ['1', '2']) makePlugin(path.join(root, '.store', version))
      const link = path.join(root, 'linked')
      fs.symlinkSync('.store/1', link)
      await watched.expectReports('added .store/1')
      await watcher.watchDeeply(path.join(root, '.store', '1'))
      fs.writeFileSync(path.join(link, 'src', 'deep.ts'), 'new')
      await watched.expectReports('changed .store/1')
      fs.symlinkSync('.store/2', `${link}.next`)
      fs.renameSync(`${link}.next`, link)
      await watched.expectReports('removed .store/1', 'added .store/2')
    })

    it('reports nothing of a forgotten folder until it is another one, or is watched again', async () => {
      const watched = await folders.open()
      const { root, one, manifest, watcher } = watched
      await watcher.watchDeeply(one)
      watcher.forget(one)
      fs.appendFileSync(manifest, '#')
      fs.writeFileSync(path.join(one, 'src', 'deep.ts'), 'x')
      await watched.expectReports()
      watcher.watchLightly(one)
      fs.appendFileSync(manifest, '#')
      await watched.expectReports('changed one')
      watcher.forget(one)
      fs.rmSync(one, { recursive: true })
      await watched.expectReports()
      makePlugin(path.join(root, 'one'))
      await watched.expectReports('added one')
    })

    it('watches a folder outside of the plugin directories for itself', async () => {
      const watched = await folders.open()
      const { root, watcher } = watched
      const alone = path.join(base, 'alone')
      makePlugin(alone)
      await watcher.watchDeeply(alone)
      fs.writeFileSync(path.join(alone, 'src', 'deep.ts'), 'new')
      const name = path.relative(root, alone)
      await watched.expectReports(`changed ${name}`)
      fs.rmSync(alone, { recursive: true })
      await watched.expectReports(`removed ${name}`)
    })
  })
})
