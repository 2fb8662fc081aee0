import type { Command } from 'commander'
import { defineConfigDaemon } from './config-daemon.ts'
import { defineConfigEdit } from './config-edit.ts'
import { defineConfigRevisions } from './config-revisions.ts'
import { defineConfigSample } from './config-sample.ts'
import { defineConfigValidate } from './config-validate.ts'
import { examples } from './help-examples.ts'

/** `phantom config …`: of plugins, and of the daemon itself (`explain`, `reload`). */
export function defineConfig(program: Command): void {
  const config = program
    .command('config')
    .description('show and change the configuration of plugins, and explain that of the daemon')
    .addHelpText(
      'after',
      examples(
        'phantom config get data_processor',
        'phantom config set data_processor log_level=debug limits.rows=500',
        'phantom config explain',
      ),
    )
  defineConfigEdit(config)
  defineConfigValidate(config)
  defineConfigRevisions(config)
  defineConfigSample(config)
  defineConfigDaemon(config)
}
