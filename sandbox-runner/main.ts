import { runnerScript, type BundleName, type RunRunner } from './runner-script.ts'

/** Not by `require()`: that looks into the folders above, which a plugin may not read. */
function runBundle(name: BundleName): unknown {
  const bundle = { exports: {} as unknown }
  const run = runnerScript(__dirname, name).runInThisContext() as RunRunner
  run(require, bundle, (url) => import(url), runBundle)
  return bundle.exports
}

runBundle('runner.cjs')
