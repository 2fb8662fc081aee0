import packageJson from '../../package.json' with { type: 'json' }

export const PACKAGE_VERSION: string = packageJson.version

/**
 * Version of contract System, `major.minor`, negotiated by its first message. A peer of another major is refused by
 * name; a newer minor only adds.
 */
export const PROTOCOL_VERSION = '1.0'

/**
 * Version of contract Runner, likewise. A plugin answers `initialize` with the one that it was written for: one of an
 * older minor goes on working. 1.1 added `metadata`, 1.2 messages between plugins.
 */
export const RUNNER_PROTOCOL_VERSION = '1.2'

/** The oldest Node major that the daemon and the runners work on. The client library runs from 20. */
export const MINIMUM_RUNTIME_MAJOR = 26
