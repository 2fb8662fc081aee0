import fs from 'node:fs'
import path from 'node:path'
import { READERS, told } from './files.js'

export async function shippedLinks(tries) {
  const own = (name) => path.join(tries.own, name)
  for (const [way, look] of Object.entries(READERS)) {
    await tries.at(`${way} of a link that was shipped`, async () =>
      told(await look(own('shipped-link.txt'), tries)),
    )
    await tries.at(`${way} in a folder that was shipped as a link`, async () =>
      told(await look(own('shipped-folder/secret.txt'), tries)),
    )
  }
  await tries.at('a list of a folder that was shipped as a link', () =>
    fs.readdirSync(own('shipped-folder')).join(),
  )
  await tries.at('import through it', async () => (await import(own('shipped-folder/secret.mjs'))).default)
  await tries.at(
    'a write through it',
    () => fs.writeFileSync(own('shipped-folder/new.txt'), 'x') ?? 'written',
  )
}

let made = 0
export async function madeLinks(tries, { folders, target, targetFolder }) {
  for (const folder of [tries.data, ...folders]) {
    const name = () => path.join(folder, `link-${made++}`)
    const control = name()
    fs.writeFileSync(control, 'given-by-itself')
    await tries.control('a file of its own beside them', () => told(fs.readFileSync(control)))
    await tries.at('symlink()', () => {
      const link = name()
      fs.symlinkSync(target, link)
      return told(fs.readFileSync(link))
    })
    await tries.at('a relative symlink()', () => {
      const link = name()
      fs.symlinkSync(path.relative(folder, target), link)
      return told(fs.readFileSync(link))
    })
    await tries.at('a symlink() to the folder', () => {
      const link = name()
      fs.symlinkSync(targetFolder, link)
      return told(fs.readFileSync(path.join(link, path.basename(target))))
    })
    await tries.at('a chain of links', () => {
      const [one, two] = [name(), name()]
      fs.symlinkSync(two, one)
      fs.symlinkSync(target, two)
      return told(fs.readFileSync(one))
    })
    await tries.at('a link by way of /proc/self/root', () => {
      const link = name()
      fs.symlinkSync(`/proc/self/root${target}`, link)
      return told(fs.readFileSync(link))
    })
    await tries.at('link()', () => {
      const link = name()
      fs.linkSync(target, link)
      return told(fs.readFileSync(link))
    })
    await tries.at('rename() of it', () => {
      const link = name()
      fs.renameSync(target, link)
      return told(fs.readFileSync(link))
    })
    await tries.at('a link shipped, copied as a link', () => {
      const copy = name()
      fs.cpSync(path.join(tries.own, 'shipped-link.txt'), copy, { verbatimSymlinks: true })
      return told(fs.readFileSync(copy))
    })
    await tries.at('a write through a link', () => {
      const link = name()
      fs.symlinkSync(path.join(targetFolder, 'written-through-a-link.txt'), link)
      fs.writeFileSync(link, 'x')
      return 'written'
    })
  }
}

/** Links that the host put there while it ran; a user of the machine may do that. */
export async function plantedLink(tries, { link, folderLink }) {
  for (const [way, look] of Object.entries(READERS)) {
    await tries.at(`${way} of a planted link`, async () => told(await look(link, tries)))
    await tries.at(`${way} through a planted folder`, async () =>
      told(await look(path.join(folderLink, 'secret.txt'), tries)),
    )
  }
}
