import { Option, type Command } from 'commander'

/** Options that every command takes, before or after its name. */
export interface CommonOptions {
  plugins: string
  /** Nobody named a plugin directory: `./plugins` is a guess that need not be there. */
  arePluginsDefault: boolean
  socket?: string
  /** Semantics: absent leaves it to the daemon that already runs; a new one runs as `development`. */
  environment?: string
  config?: string
  json: boolean
}

export function addCommonOptions(program: Command): Command {
  return program
    .addOption(new Option('--plugins <dir>', 'plugin directory').default('./plugins').env('PHANTOM_PLUGINS'))
    .option('--socket <path>', 'talk to the daemon on this socket and to no other')
    .addOption(
      new Option('--environment <name>', 'environment (default: "development")').env('PHANTOM_ENVIRONMENT'),
    )
    .option('--config <dir>', 'configuration folder (default: none, the package has its own)')
    .option('--json', 'machine output on stdout; errors as one JSON line on stderr')
    .option('--no-color', 'no colours; the variable NO_COLOR does the same')
}

export function commonOptions(command: Command): CommonOptions {
  const all = command.optsWithGlobals<
    Omit<CommonOptions, 'json' | 'arePluginsDefault'> & { json?: boolean }
  >()
  return {
    ...all,
    json: all.json === true,
    arePluginsDefault: command.getOptionValueSourceWithGlobals('plugins') === 'default',
  }
}
