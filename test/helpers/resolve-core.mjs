// Lets a sample import the package by its name, from the sources. For `node --import`.
import { registerHooks } from 'node:module'

const SOURCES = new Map([
  ['@phantom-ml/core', '../../src/index.ts'],
  ['@phantom-ml/core/plugin', '../../src/plugin/index.ts'],
])

registerHooks({
  resolve(specifier, context, nextResolve) {
    const source = SOURCES.get(specifier)
    return nextResolve(source === undefined ? specifier : new URL(source, import.meta.url).href, context)
  },
})
