/** The one Node that this package is tested with, and what the registry's package of it must be, to the bit. */
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

/** @throws PhantomError RUNTIME_NOT_FOUND where npm's package does not run */
export function pinnedPackage(): PinnedPackage {
  const found = pinnedPackageFor(thisPlatform())
  const machine = usesMusl() ? `${thisPlatform()} with musl` : thisPlatform()
  if (found !== null && !usesMusl()) return found
  throw new PhantomError(
    'RUNTIME_NOT_FOUND',
    `Cannot fetch Node ${pinned.version} for ${machine}: npm has no package of it. ` +
      'Install Node 26 or newer from elsewhere (on Alpine: apk add nodejs-current) and run ' +
      '"phantom setup --runtime /path/to/node", or set PHANTOM_RUNTIME',
    { details: { reason: 'platform', platform: machine } },
  )
}

/** glibc says its version in Node's report, musl says nothing. */
function usesMusl(): boolean {
  if (process.platform !== 'linux') return false
  const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } }
  return report.header?.glibcVersionRuntime === undefined
}
