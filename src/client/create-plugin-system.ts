import { attachOrStart, attachSession } from './attach.ts'
import { DaemonSession } from './daemon-session.ts'
import { PluginSystemApi } from './plugin-system-api.ts'
import { socketPathOf, stateDirectoryOf } from '../rpc/endpoint.ts'

export interface PluginSystemOptions {
  /** The folder whose files calls are about: this process's working directory unless given. */
  workspace?: string
  /** Holds `default.yaml` and `<environment>.yaml`; used when a private daemon has to be started. */
  config_directory?: string
  /** One more configuration file, on top of those of the folder; used like it. */
  config_file?: string
  /** Where the daemon keeps its state: `.phantom/<name>` beside the plugin directory unless given. */
  state_directory?: string
}

/**
 * Attaches to the daemon that serves `plugin_directory`, or starts a private one, which ends with its last
 * application. Where the machine has no Node ≥ 26 for it, the pinned one is fetched once, by the user's own npm
 * (`PHANTOM_FETCH_RUNTIME=false` forbids it).
 *
 * @param environment names the configuration, `development`, `production`, `test` or one of your own; it counts when
 * a daemon has to be started
 * @throws PhantomError PLUGIN_DIRECTORY_NOT_FOUND, CONFIG_INVALID, RUNTIME_NOT_FOUND, DAEMON_UNREACHABLE
 */
export async function create_plugin_system(
  plugin_directory: string,
  environment = 'development',
  options: PluginSystemOptions = {},
): Promise<PluginSystemApi> {
  const { workspace = process.cwd(), ...rest } = options
  return PluginSystemApi.ofSession(await attachOrStart({ plugin_directory, environment, workspace, ...rest }))
}

/**
 * Attaches to a daemon that runs already; `socket` is `PHANTOM_SOCKET` or that of `./plugins` unless given.
 *
 * @throws PhantomError DAEMON_UNREACHABLE, VERSION_UNSUPPORTED
 */
export async function connect(socket?: string): Promise<PluginSystemApi> {
  const path = socket ?? process.env['PHANTOM_SOCKET'] ?? socketPathOf(stateDirectoryOf('./plugins'))
  const session = await DaemonSession.open(path, { workspace: process.cwd() })
  return PluginSystemApi.ofSession({ session, daemonExited: null })
}

/** Attaches to the daemon that serves `plugin_directory`; null when none does. */
export async function attachIfRunning(
  plugin_directory: string,
  options: { state_directory?: string } = {},
): Promise<PluginSystemApi | null> {
  const session = await attachSession({ plugin_directory, workspace: process.cwd(), ...options })
  return session === null ? null : PluginSystemApi.ofSession({ session, daemonExited: null })
}
