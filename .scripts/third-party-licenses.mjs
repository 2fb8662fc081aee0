import fs from 'node:fs'
import path from 'node:path'
import { ROOT } from './bundle.mjs'

const LICENSE_FILE = /^(licen[cs]e|copying|notice)/i
const RULE = '-'.repeat(80)

/**
 * The licences of the packages that are really in the bundles, as their terms ask.
 * @param {readonly string[]} inputs files that went into a bundle, relative to the root
 */
export function thirdPartyLicenses(inputs) {
  const folders = new Set(inputs.map(packageFolder).filter((folder) => folder !== undefined))
  const sections = [...folders].map(licenseSection).toSorted()
  return `This package contains these packages, each under its own licence.\n\n${[...new Set(sections)].join('\n')}`
}

/** `node_modules/a/node_modules/@b/c/x.js` is of `node_modules/a/node_modules/@b/c`. @param {string} input */
function packageFolder(input) {
  return /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input)?.[0]
}

/** @param {string} folder relative to the root */
function licenseSection(folder) {
  const absolute = path.join(ROOT, folder)
  const { name, version, license } = JSON.parse(fs.readFileSync(path.join(absolute, 'package.json'), 'utf8'))
  const files = fs.readdirSync(absolute).filter((file) => LICENSE_FILE.test(file))
  if (files.length === 0 && typeof license !== 'string') {
    throw new Error(
      `Cannot publish "${name}": it names no licence and has no licence file. Bundle another package`,
    )
  }
  const texts = files.toSorted().map((file) => fs.readFileSync(path.join(absolute, file), 'utf8').trim())
  const text =
    texts.length > 0 ? texts.join('\n\n') : `It has no licence file; its package.json says ${license}.`
  return `${RULE}\n${name} ${version} (${license ?? 'see below'})\n${RULE}\n\n${text}\n`
}
