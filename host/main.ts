import { DAEMON_EXIT_CODES } from '../src/contract/exit-codes.ts'
import { isPhantomError, messageOf } from '../src/contract/phantom-error.ts'
import { stateDirectoryOf } from '../src/rpc/endpoint.ts'
import { verifyOffline } from './audit/verify-offline.ts'
import { parseDaemonOptions } from './lifecycle/daemon-options.ts'
import { endWithStarter } from './lifecycle/end-with-starter.ts'
import { startDaemon } from './lifecycle/start-daemon.ts'
import { reportStart } from './lifecycle/starter-report.ts'
import { closeInheritedDescriptors } from './sandbox/inherited-descriptors.ts'

/** The daemon's process starts here. */
async function main(): Promise<number> {
  // Whoever started us may be gone: that must not end what he started.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined)
  const options = parseDaemonOptions(process.argv.slice(2))
  if (options.verifiesAudit) {
    const found = await verifyOffline(options.stateDirectory ?? stateDirectoryOf(options.pluginDirectory))
    process.stdout.write(`${JSON.stringify(found)}\n`)
    return DAEMON_EXIT_CODES.ok
  }
  closeInheritedDescriptors(options.isPrivate ? [3] : [])
  const daemon = await startDaemon(options)
  process.on('SIGHUP', () =>
    options.isPrivate ? void daemon.stop('host_shutdown') : daemon.reloadConfiguration(),
  )
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => void daemon.stop('host_shutdown'))
  }
  process.once('uncaughtException', (error) => {
    // A second one while it stops: nothing is left that could be told, and the kernel ends the runners with us.
    process.once('uncaughtException', () => process.exit(DAEMON_EXIT_CODES.internal))
    daemon.log.error('the daemon ends by a defect of ours', { error: error.stack ?? error.message })
    void daemon.stop('host_shutdown').finally(() => process.exit(DAEMON_EXIT_CODES.internal))
  })
  if (options.starterPid !== null && !endWithStarter(options.starterPid)) void daemon.stop('host_shutdown')
  reportStart({ socket: daemon.socketPath })
  await daemon.stopped
  return DAEMON_EXIT_CODES.ok
}

try {
  process.exitCode = await main()
} catch (error) {
  reportStart({ failure: error })
  process.stderr.write(`${messageOf(error)}\n`)
  const isTaken = isPhantomError(error) && error.code === 'DAEMON_ALREADY_RUNNING'
  process.exitCode = isTaken ? DAEMON_EXIT_CODES.already_running : DAEMON_EXIT_CODES.start_failed
}
