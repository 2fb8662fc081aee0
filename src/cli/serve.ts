import path from 'node:path'
import type { Command } from 'commander'
import { commonOptions, type CommonOptions } from './common-options.ts'
import { runInForeground } from './foreground.ts'
import { examples } from './help-examples.ts'

export function defineServe(program: Command): void {
  program
    .command('serve')
    .description('run the daemon of a plugin directory in the foreground')
    .option('--config-file <file>', 'one more configuration file, on top of those of the folder')
    .addHelpText(
      'after',
      examples(
        'phantom serve',
        'phantom serve --plugins /srv/plugins --environment production',
        'phantom serve --config /etc/phantom --config-file /etc/phantom-here.yaml',
      ),
    )
    .action(async (own: { configFile?: string }, command: Command) => {
      process.exitCode = await serve(commonOptions(command), own.configFile)
    })
}

async function serve(options: CommonOptions, configFile: string | undefined): Promise<number> {
  const { daemonCommand } = await import('../client/daemon-command.ts')
  const daemon = await daemonCommand({
    plugin_directory: path.resolve(options.plugins),
    environment: options.environment ?? 'development',
    ...(options.config === undefined ? {} : { config_directory: path.resolve(options.config) }),
    ...(configFile === undefined ? {} : { config_file: path.resolve(configFile) }),
    private: false,
    ends_with: process.pid,
  })
  return await runInForeground(daemon)
}
