/** The one Node that this package is tested with, and what the registry's package of it must be, to the bit. */
import { existsSync } from 'node:fs'
import { PhantomError } from '../../contract/phantom-error.ts'
import pinned from './pinned-runtime.json' with { type: 'json' }

export interface PinnedPackage {
  /** npm's package of Node for this platform. */
  name: string
  version: string
  /** `sha512-` and base64, as npm writes it. */
  integrity: string
  /** Names the folder of the copy: `26.10.0-linux-x64`. */
  id: string
}

/** Of the Node that this release is tested with. */
export const PINNED_VERSION: string = pinned.version

/** Null where npm has no package of the pinned Node. */
export function pinnedPackageFor(platform: string): PinnedPackage | null {
  const { version } = pinned
  const packages: Readonly<Record<string, { name: string; integrity: string }>> = pinned.packages
  const found = Object.hasOwn(packages, platform) ? packages[platform] : undefined
  return found === undefined ? null : { ...found, version, id: `${version}-${platform}` }
}

export function thisPlatform(): string {
  return `${process.platform}-${process.arch}`
}

/** What the kernel starts a program of glibc by. Where it is not (musl, NixOS), npm's Node can't be started. */
const LOADERS: Readonly<Record<string, string>> = {
  'linux-x64': '/lib64/ld-linux-x86-64.so.2',
  'linux-arm64': '/lib/ld-linux-aarch64.so.1',
}
const ELSEWHERE =
  'Install Node 26 or newer from elsewhere (on Alpine: apk add nodejs-current) and run ' +
  '"phantom setup --runtime /path/to/node", or set PHANTOM_RUNTIME'

/** @throws PhantomError RUNTIME_NOT_FOUND where npm's package does not run */
export function pinnedPackage(platform = thisPlatform(), isThere = existsSync): PinnedPackage {
  const found = pinnedPackageFor(platform)
  const loader = LOADERS[platform]
  if (found !== null && (loader === undefined || isThere(loader))) return found
  const why =
    found === null ? 'npm has no package of it' : `npm's package of it needs glibc, and there is no ${loader}`
  throw new PhantomError(
    'RUNTIME_NOT_FOUND',
    `Cannot fetch Node ${pinned.version} for ${platform}: ${why}. ${ELSEWHERE}`,
    { details: { reason: 'platform', platform } },
  )
}
