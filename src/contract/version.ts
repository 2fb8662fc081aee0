import packageJson from '../../package.json' with { type: 'json' }

export const PACKAGE_VERSION: string = packageJson.version

/**
 * Version of the wire, `major.minor`, negotiated by the first message of both contracts. A peer of another
 * major is refused by name; a newer minor only adds.
 */
export const PROTOCOL_VERSION = '1.0'

/** The oldest Node major that the daemon and the runners work on. The client library runs from 20. */
export const MINIMUM_RUNTIME_MAJOR = 26
