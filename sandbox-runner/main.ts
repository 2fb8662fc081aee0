import { runnerScript, type RunRunner } from './runner-script.ts'

const run = runnerScript(__dirname).runInThisContext() as RunRunner
run(require, module, (url) => import(url))
