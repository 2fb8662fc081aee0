import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Whether this code runs from the sources; the published package is JavaScript. */
export const isCheckout = import.meta.url.endsWith('.ts')

/** The folder of our own package.json, found upwards from this file: bundles lie at several depths. */
export function packageRoot(): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    const file = join(folder, 'package.json')
    if (existsSync(file) && readFileSync(file, 'utf8').includes('"name": "@phantom-ml/core"')) return folder
    if (dirname(folder) === folder) {
      throw new RangeError(`Cannot find the package of ${import.meta.url}: no package.json above it is ours`)
    }
  }
}
