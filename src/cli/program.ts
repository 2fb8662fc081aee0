import { Command } from 'commander'
import { PACKAGE_VERSION } from '../contract/version.ts'
import { addCommonOptions } from './common-options.ts'
import { defineLoad, defineReload, defineReset, defineRollback, defineUnload } from './change-plugin.ts'
import { defineAudit } from './audit.ts'
import { defineApprove } from './approve.ts'
import { defineComplete } from './complete.ts'
import { defineCompletion } from './completion.ts'
import { defineConfig } from './config.ts'
import { defineDoctor } from './doctor.ts'
import { defineGenerations } from './generations.ts'
import { defineHealth } from './health.ts'
import { defineHistory } from './history.ts'
import { defineInfo } from './info.ts'
import { defineLearn } from './learn.ts'
import { defineLimits } from './limits.ts'
import { defineList } from './list.ts'
import { defineLogs } from './logs.ts'
import { defineMetrics } from './metrics.ts'
import { defineNew } from './new.ts'
import { definePermissions } from './permissions.ts'
import { defineRun } from './run.ts'
import { defineSelftest } from './selftest.ts'
import { defineSend } from './send.ts'
import { defineServe } from './serve.ts'
import { defineSetup } from './setup.ts'
import { defineStatus } from './status.ts'
import { defineValidate } from './validate.ts'
import { defineVerify } from './verify.ts'
import { defineWhy } from './why.ts'

const EXIT_CODES_HELP = `
Exit codes:
  0 done   1 the plugin failed, or there is something to mend   2 wrong usage   3 not found
  4 denied   5 deadline, limit or cancelled   6 the plugin, or its new generation, did not start or died
  7 no daemon, or no Node for it   8 invalid manifest, input or configuration
  70 a defect of ours   130 Ctrl-C

Examples:
  phantom list --plugins ./plugins
  phantom run data_processor process_pipeline --input @pipeline.json
  phantom why data_processor
  phantom doctor`

/** The whole command line: words and help. What a command needs to run loads when it runs. */
export function buildProgram(): Command {
  const program = new Command('phantom')
    .description('Runs plugins, each in a sandboxed process of its own.')
    .version(PACKAGE_VERSION)
    .configureHelp({ showGlobalOptions: true })
    // Errors are thrown and reported in one place, in words or as JSON.
    .configureOutput({ outputError: () => undefined })
    .exitOverride()
    .addHelpText('after', EXIT_CODES_HELP)
  addCommonOptions(program)
  defineServe(program)
  defineStatus(program)
  defineList(program)
  defineInfo(program)
  defineLimits(program)
  defineRun(program)
  defineSend(program)
  defineLogs(program)
  defineHealth(program)
  defineMetrics(program)
  defineHistory(program)
  defineWhy(program)
  defineGenerations(program)
  defineAudit(program)
  definePermissions(program)
  defineApprove(program)
  defineReload(program)
  defineRollback(program)
  defineLoad(program)
  defineUnload(program)
  defineReset(program)
  defineConfig(program)
  defineDoctor(program)
  defineSelftest(program)
  defineLearn(program)
  defineVerify(program)
  defineNew(program)
  defineValidate(program)
  defineSetup(program)
  defineCompletion(program)
  defineComplete(program)
  return program
}
