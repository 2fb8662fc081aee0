import fs from 'node:fs'
import path from 'node:path'
import { pluginId } from '../attackers.ts'
import { attackProbe } from '../define-probe.ts'
import type { Expected, Probe } from '../probe.ts'

const FOLLOWS: Expected = { open: "Node's permission model follows links that lie inside what it allows" }

export const LINK_PROBES: readonly Probe[] = [
  attackProbe({
    id: 'links-shipped',
    area: 'links',
    tries: 'reads and writes through links to outside that came in its own folder',
    attack: 'shippedLinks',
    process: FOLLOWS,
  }),
  attackProbe({
    id: 'links-made',
    area: 'links',
    tries: 'makes links, hard links, chains and renames to outside in its data_dir, and follows them',
    attack: 'madeLinks',
    input: ({ places }) => ({ folders: [], target: places.secretFile, targetFolder: places.outside }),
  }),
  attackProbe({
    id: 'links-made-in-grant',
    area: 'links',
    as: 'granted',
    tries: 'does the same in a folder that it may write',
    attack: 'madeLinks',
    input: ({ places }) => ({
      folders: [path.join(places.workspace, 'out')],
      target: places.secretFile,
      targetFolder: places.outside,
    }),
  }),
  attackProbe({
    id: 'links-planted-in-grant',
    area: 'links',
    as: 'granted',
    tries: 'follows links to outside that lie in a granted folder',
    attack: 'plantedLink',
    process: FOLLOWS,
    prepare: (places) => {
      fs.symlinkSync(places.secretFile, path.join(places.workspace, 'given/planted.txt'))
      fs.symlinkSync(places.outside, path.join(places.workspace, 'given/planted'))
    },
    input: ({ places }) => ({
      link: path.join(places.workspace, 'given/planted.txt'),
      folderLink: path.join(places.workspace, 'given/planted'),
    }),
  }),
  attackProbe({
    id: 'links-planted-in-data',
    area: 'links',
    tries: 'follows a link to outside that was put into its data_dir',
    attack: 'plantedLink',
    process: FOLLOWS,
    input: ({ places }) => {
      const data = places.dataOf(pluginId('bare'))
      const names = { link: path.join(data, 'planted.txt'), folderLink: path.join(data, 'planted') }
      if (!fs.existsSync(names.link)) fs.symlinkSync(places.secretFile, names.link)
      if (!fs.existsSync(names.folderLink)) fs.symlinkSync(places.outside, names.folderLink)
      return names
    },
  }),
]
