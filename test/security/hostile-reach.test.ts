import { expect } from 'chai'
import fs from 'node:fs'
import { createServer, type Server } from 'node:net'
import { once } from 'node:events'
import { isAlive, TestDaemon } from '../helpers/daemon.ts'
import { isPhantomError } from '../../src/contract/phantom-error.ts'

const SECRET = 'a secret that no plugin was granted'
/** How Node's permission model, the mount namespace and the kernel say no. */
const REFUSED =
  /ERR_ACCESS_DENIED|ENOENT|EACCES|EPERM|EROFS|ENOSYS|not granted|not permitted|restricted|No such built-in|disabled|Cannot find/i

describe('A plugin that reaches for what it was not granted', function () {
  this.timeout(60_000)
  let daemon: TestDaemon
  let listener: Server
  let port = 0
  let accepted = 0

  before(async () => {
    listener = createServer((socket) => {
      accepted += 1
      socket.on('error', () => {})
      socket.end(SECRET)
    })
    listener.listen(0, '127.0.0.1')
    await once(listener, 'listening')
    port = (listener.address() as { port: number }).port
    daemon = await TestDaemon.start({
      plugins: [
        'echoes',
        'reads-outside',
        'writes-outside',
        'starts-others',
        'opens-network',
        'uses-its-grants',
      ],
      files: {
        'secret.txt': SECRET,
        'data/given.txt': 'given',
        'sub/secret.txt': SECRET,
        'package.json': '{}',
      },
      environment: { PHANTOM_TEST_SECRET: SECRET, GIVEN_TO_PLUGIN: 'given' },
      config: 'log:\n  level: warn\n',
    })
    fs.chmodSync(daemon.world.folder, 0o777)
    fs.symlinkSync(daemon.world.path('secret.txt'), daemon.world.path('plugins/reads_outside/link.txt'))
    await daemon.call('uses_its_grants', 'keep', SECRET)
  })
  after(async () => {
    await daemon.stop()
    listener.close()
  })
  afterEach('every other plugin goes on', async () => {
    expect((await daemon.call('echoes', 'echo', 'here')).result).to.equal('here')
    expect(isAlive(daemon.pid)).to.be.true
  })

  describe('by reading', () => {
    const targets: Readonly<Record<string, () => string>> = {
      'a file of the workspace': () => daemon.world.path('secret.txt'),
      'the same by a relative path': () => 'secret.txt',
      'the same by way of its own folder': () => daemon.world.path('plugins/reads_outside/../../secret.txt'),
      '/etc/passwd': () => '/etc/passwd',
      '/etc/shadow': () => '/etc/shadow',
      "the daemon's environment": () => `/proc/${daemon.pid}/environ`,
      "another plugin's code": () => daemon.world.path('plugins/echoes/index.js'),
      "another plugin's data": () => state('data/uses_its_grants/kept.txt'),
      "the daemon's store": () =>
        state(fs.readdirSync(state('')).find((name) => /db|sqlite/.test(name)) ?? 'state.db'),
      "the daemon's log": () => state('logs/daemon.log'),
      'its own log': () => state('logs/plugins/reads_outside.log'),
      "the daemon's configuration": () => daemon.world.path('config/default.yaml'),
      '/proc/1/environ': () => '/proc/1/environ',
      '/proc/self/mem': () => '/proc/self/mem',
      '/proc/self/fd/3': () => '/proc/self/fd/3',
      '/dev/mem': () => '/dev/mem',
      '/sys': () => '/sys/kernel/uevent_seqnum',
    }
    for (const [what, path] of Object.entries(targets)) {
      it(`${what} is refused, whatever call it uses`, async () => {
        for (const operation of ['read', 'blob', 'copy', 'stat', 'link', 'module']) {
          await expectRefused(operation, path())
        }
      })
    }

    it('folders by listing them shows at the most the way to its own', async () => {
      const outside = [
        '/',
        '/etc',
        '/root',
        '/home',
        daemon.world.folder,
        state(''),
        state('data'),
        '/proc/self/root',
      ]
      for (const path of outside) {
        const outcome = await daemon.call<string[]>('reads_outside', 'list', path).catch(() => null)
        const own = ['.phantom', 'plugins', 'data', 'validators', 'reads_outside']
        expect(
          (outcome?.result ?? []).filter((name) => !own.includes(name)),
          path,
        ).to.deep.equal([])
      }
    })

    it('a symbolic link in its own folder is refused', () => expectRefused('own_link', null))

    it('a symbolic link that it makes in its data_dir is refused', () =>
      expectRefused('new_link', daemon.world.path('secret.txt')))

    it('a symbolic link that lies in its data_dir is refused', async () => {
      fs.symlinkSync(daemon.world.path('secret.txt'), state('data/reads_outside/planted-link'))
      await expectRefused('old_link', null)
    })

    it('a file through node:sqlite is refused', async () => {
      for (const path of [daemon.world.path('secret.txt'), '/etc/passwd', '/tmp/new.db'])
        await expectRefused('sqlite', path)
    })

    it('its environment holds what was granted and no secret of the daemon', async () => {
      const { result } = await daemon.call<Record<string, string>>('reads_outside', 'environment')
      const known = ['HOME', 'LANG', 'PATH', 'PWD', 'TZ', 'TMPDIR', 'SHLVL', '_', 'OLDPWD']
      expect(Object.keys(result ?? {}).filter((name) => !known.includes(name))).to.deep.equal([])
      expect(JSON.stringify(result)).not.to.contain(SECRET)
      const own = await daemon.call('reads_outside', 'read', '/proc/self/environ').catch(() => null)
      expect(JSON.stringify(own)).not.to.contain(SECRET)
    })

    async function expectRefused(operation: string, path: string | null): Promise<void> {
      await refused('reads_outside', operation, path)
    }
  })

  describe('by writing, with fs_write for the whole workspace', () => {
    it('its own code is refused', () => refused('writes_outside', 'own_code'))
    it('its own manifest is refused', () => refused('writes_outside', 'own_manifest'))

    const protectedFiles: Readonly<Record<string, string>> = {
      "another plugin's code": 'plugins/echoes/index.js',
      'a plugin of its own making': 'plugins/new_plugin.toml',
      "the daemon's store": '.phantom/plugins/state.db',
      "another plugin's data": '.phantom/plugins/data/uses_its_grants/kept.txt',
      "the daemon's configuration": 'config/default.yaml',
      'a further configuration': 'config/test.yaml',
    }
    for (const [what, file] of Object.entries(protectedFiles)) {
      it(`${what} is refused`, async () => {
        const path = daemon.world.path(file)
        const before = fs.existsSync(path) ? fs.readFileSync(path, 'latin1') : null
        for (const operation of ['write', 'remove', 'chmod'])
          await daemon.call('writes_outside', operation, path).catch(() => null)
        await daemon.call('writes_outside', 'rename', [path, daemon.world.path('moved')]).catch(() => null)
        const after = fs.existsSync(path) ? fs.readFileSync(path, 'latin1') : null
        expect(after).to.equal(before)
      })
    }

    for (const folder of ['plugins', '.phantom', '.phantom/plugins', 'config']) {
      it(`the folder ${folder} cannot be moved aside`, async () => {
        const to = daemon.world.path(`moved-${folder.replace('/', '-')}`)
        await daemon.call('writes_outside', 'rename', [daemon.world.path(folder), to]).catch(() => null)
        expect(fs.existsSync(to)).to.be.false
      })
    }

    it('what lies outside of the workspace is refused', async () => {
      for (const path of [
        '/etc/phantom-was-here',
        '/usr/phantom-was-here',
        '/proc/sys/kernel/hostname',
        '/dev/phantom',
      ]) {
        await refused('writes_outside', 'write', path)
        expect(fs.existsSync(path) && path.includes('phantom')).to.be.false
      }
    })

    it('a file of 2 GB in its data_dir is refused, or ends its call alone', async () => {
      await daemon.call('writes_outside', 'huge').catch(() => null)
      const file = state('data/writes_outside/huge')
      expect(fs.existsSync(file) ? fs.statSync(file).size : 0).to.be.at.most(2 ** 30)
    })
  })

  describe('by starting others', () => {
    const ways = [
      'spawn',
      'fork',
      'cluster',
      'worker',
      'binding',
      'internal',
      'dlopen',
      'eval',
      'inspector',
      'wasi',
      'identity',
      'env_exec',
    ]
    for (const way of ways) {
      it(`(${way}) gets nowhere`, async () => {
        const outcome = await daemon.call('starts_others', way).catch((error: unknown) => error)
        if (isPhantomError(outcome)) expect(outcome.code).to.be.oneOf(['PERMISSION_DENIED', 'PLUGIN_CRASHED'])
        else expect(outcome, JSON.stringify(outcome)).to.have.property('success', false)
      })
    }

    it('reaches neither the daemon, nor its parent, nor another plugin by a signal', async () => {
      const other = await daemon.pidOf('echoes')
      for (const pid of [daemon.pid, other, process.pid, -1]) {
        const outcome = await daemon.call('starts_others', 'kill', [pid, 0]).catch(() => null)
        if (pid !== -1) expect(outcome?.success ?? false, `signal to ${pid}`).to.be.false
      }
      await daemon.call('starts_others', 'kill', [1, 'SIGKILL']).catch(() => null)
      expect(isAlive(daemon.pid) && isAlive(other)).to.be.true
    })
  })

  describe('by the network', () => {
    it("the daemon's own socket is refused", async () => {
      const { clients } = await daemon.system.get_status()
      await refused('opens_network', 'connect', daemon.socketPath)
      expect((await daemon.system.get_status()).clients).to.equal(clients)
    })

    it('a listener on the loopback is not reached', async () => {
      await daemon.call('opens_network', 'connect', { port, host: '127.0.0.1' }).catch(() => null)
      const fetched = await daemon
        .call('opens_network', 'fetch', `http://127.0.0.1:${port}/`)
        .catch(() => null)
      expect(JSON.stringify(fetched)).not.to.contain(SECRET)
      expect(accepted).to.equal(0)
    })

    it('a listener of its own is not reached from outside', async () => {
      await daemon.call('opens_network', 'listen', { port, host: '127.0.0.1' }).catch(() => null)
      await refused('opens_network', 'datagram', port)
      await refused('opens_network', 'resolve', 'localhost.invalid')
    })
  })

  async function refused(id: string, operation: string, input: unknown = null): Promise<void> {
    const outcome = await daemon.call(id, operation, input).catch((error: unknown) => error)
    const words = isPhantomError(outcome) ? `${outcome.code} ${outcome.message}` : JSON.stringify(outcome)
    expect(words).not.to.contain(SECRET)
    if (isPhantomError(outcome) && outcome.code === 'PERMISSION_DENIED') return
    expect(outcome, `${operation} ${String(input)}: ${words}`).to.have.property('success', false)
    expect(words, `${operation} ${String(input)}`).to.match(REFUSED)
  }

  function state(name: string): string {
    return daemon.world.path('.phantom/plugins', name)
  }
})
