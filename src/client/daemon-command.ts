import { join, resolve } from 'node:path'
import { isCheckout, packageRoot } from './package-root.ts'
import { provideRuntimeQuietly } from './provide-runtime.ts'

/**
 * A young generation of a size that stays. Left to grow by itself, the daemon's many read buffers, which are freed
 * with it, made V8 mark the whole heap every few hundred calls (39 times against 1 to 2 in 12,000 calls of 10 KB);
 * larger ones cost more in all (554 ms against 414 ms of collection in 340,000 small calls).
 */
const NODE_FLAG = '--max-semi-space-size=4'

export interface DaemonOptions {
  plugin_directory: string
  environment: string
  config_directory?: string
  /** One more configuration file, on top of those of the folder; it must be there. */
  config_file?: string
  state_directory?: string
  /** A private daemon ends with its last application and reports its start on fd 3. */
  private: boolean
  /** Ends with this process, its starter, however that one ends. */
  ends_with?: number
}

/** The file with which the daemon's process starts. */
export function daemonMain(): string {
  return join(packageRoot(), isCheckout ? 'host/main.ts' : 'dist/host/main.js')
}

/** How a daemon is started, on which Node. The environment is the caller's. */
export async function daemonCommand(options: DaemonOptions): Promise<{ file: string; args: string[] }> {
  const runtime = await provideRuntimeQuietly()
  const args = [
    NODE_FLAG,
    daemonMain(),
    '--plugins',
    resolve(options.plugin_directory),
    '--environment',
    options.environment,
    '--runtime-source',
    runtime.source,
  ]
  if (options.config_directory !== undefined) args.push('--config', resolve(options.config_directory))
  if (options.config_file !== undefined) args.push('--config-file', resolve(options.config_file))
  if (options.state_directory !== undefined) args.push('--state', resolve(options.state_directory))
  if (options.private) args.push('--private')
  if (options.ends_with !== undefined) args.push('--ends-with', String(options.ends_with))
  return { file: runtime.path, args }
}
