import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { RUNTIME_SOURCES, type RuntimeSource } from '../../src/contract/runtime-source.ts'

/** What the daemon is told on its command line; paths are absolute. */
export interface DaemonOptions {
  readonly pluginDirectory: string
  readonly environment: string
  /** The user's configuration folder; null when none was named. */
  readonly configDirectory: string | null
  /** A configuration file on top of those of the folder; null when none was named. */
  readonly configFile: string | null
  /** Null: beside the plugin directory. */
  readonly stateDirectory: string | null
  /** Ends with its last application, and reports its start on fd 3. */
  readonly isPrivate: boolean
  /** The process that stands before it in the foreground, and takes it along however it ends; null for none. */
  readonly starterPid: number | null
  /** Who decided on the Node that runs this; null when nobody says. */
  readonly runtimeSource: RuntimeSource | null
  /** Serves nothing: verifies the audit log of the state folder, prints what it found, and ends. */
  readonly verifiesAudit: boolean
}

/** @throws TypeError for an unknown or missing option, in words of `node:util` */
export function parseDaemonOptions(argv: readonly string[]): DaemonOptions {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      plugins: { type: 'string', default: './plugins' },
      environment: { type: 'string', default: 'development' },
      config: { type: 'string' },
      'config-file': { type: 'string' },
      state: { type: 'string' },
      private: { type: 'boolean', default: false },
      'ends-with': { type: 'string' },
      'runtime-source': { type: 'string', default: '' },
      'verify-audit': { type: 'boolean', default: false },
    },
  })
  return {
    pluginDirectory: resolve(values.plugins),
    environment: values.environment,
    configDirectory: values.config === undefined ? null : resolve(values.config),
    configFile: values['config-file'] === undefined ? null : resolve(values['config-file']),
    stateDirectory: values.state === undefined ? null : resolve(values.state),
    isPrivate: values.private,
    starterPid: values['ends-with'] === undefined ? null : Number(values['ends-with']),
    runtimeSource: isRuntimeSource(values['runtime-source']) ? values['runtime-source'] : null,
    verifiesAudit: values['verify-audit'],
  }
}

function isRuntimeSource(text: string): text is RuntimeSource {
  return Object.hasOwn(RUNTIME_SOURCES, text)
}
