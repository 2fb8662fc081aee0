import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'

/** Where things lie for one run of the suite. Everything is below `root`, which is removed at its end. */
export class ArenaPlaces {
  readonly root: string
  readonly outside: string
  readonly workspace: string
  readonly plugins: string
  readonly configuration: string
  /** Stands in every file that no plugin may read, and in the daemon's environment. */
  readonly secret = `SECRET-${randomBytes(12).toString('hex')}`
  /** Stands in every file that a plugin was granted. */
  readonly given = `given-${randomBytes(4).toString('hex')}`
  readonly abstractSocket = `\0phantom-selftest-${randomBytes(6).toString('hex')}`

  constructor() {
    this.root = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-selftest-')))
    this.outside = path.join(this.root, 'outside')
    this.workspace = path.join(this.root, 'workspace')
    this.plugins = path.join(this.workspace, 'plugins')
    this.configuration = path.join(this.root, 'config')
    this.write('outside/secret.txt', this.secret)
    this.write('outside/secret.json', JSON.stringify({ secret: this.secret }))
    this.write('outside/secret.env', `STOLEN=${this.secret}\n`)
    this.write('outside/secret.mjs', `export default '${this.secret}'\n`)
    this.write('outside/package.json', '{}')
    this.write('outside/folder/inner.txt', this.secret)
    this.write('workspace/private.txt', this.secret)
    this.write('workspace/given/ok.txt', this.given)
    fs.mkdirSync(path.join(this.workspace, 'out'))
  }

  get secretFile(): string {
    return path.join(this.outside, 'secret.txt')
  }

  get unixSocket(): string {
    return path.join(this.outside, 'host.sock')
  }

  get grantedSocket(): string {
    return path.join(this.workspace, 'given/host.sock')
  }

  /** Of the daemon: beside the plugin directory. */
  get state(): string {
    return path.join(this.workspace, '.phantom/plugins')
  }

  dataOf(pluginId: string): string {
    return path.join(this.state, 'data', pluginId)
  }

  folderOf(pluginId: string): string {
    return path.join(this.plugins, pluginId)
  }

  write(name: string, content: string | Buffer): void {
    const file = path.join(this.root, name)
    fs.mkdirSync(path.dirname(file), { recursive: true })
    fs.writeFileSync(file, content)
  }

  /** Ordinary permissions let everybody in everywhere: whatever is denied, the sandbox denied. */
  openToAll(folder = this.root): void {
    fs.chmodSync(folder, 0o777)
    for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
      const full = path.join(folder, entry.name)
      if (entry.isDirectory()) this.openToAll(full)
      else if (entry.isFile()) fs.chmodSync(full, 0o666)
    }
  }

  remove(): void {
    fs.rmSync(this.root, { recursive: true, force: true, maxRetries: 3, retryDelay: 100 })
  }
}
