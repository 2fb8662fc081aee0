import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import { expect } from 'chai'
import { TestDaemon, until } from '../helpers/daemon.ts'
import { wasmPlugin } from '../helpers/wasm-plugin.ts'
import type { WatGuest } from '../helpers/wat-guest.ts'

/** Leaves an errno as two digits of text. */
const ERRNO = `(func $deeper (call $deeper) (call $deeper))
  (func $errno (param $number i32) (result i64)
    (i32.store8 (i32.const 60000) (i32.const 34))
    (i32.store8 (i32.const 60001) (i32.add (i32.const 48) (i32.div_u (local.get $number) (i32.const 10))))
    (i32.store8 (i32.const 60002) (i32.add (i32.const 48) (i32.rem_u (local.get $number) (i32.const 10))))
    (i32.store8 (i32.const 60003) (i32.const 34))
    (call $result (i32.const 60000) (i32.const 4)))
  ;; What $length bytes from 60101 on are, as text of JSON.
  (func $said (param $length i32) (result i64)
    (i32.store8 (i32.const 60100) (i32.const 34))
    (i32.store8 (i32.add (i32.const 60101) (local.get $length)) (i32.const 34))
    (call $result (i32.const 60100) (i32.add (local.get $length) (i32.const 2))))
  (func $vector (param $at i32) (param $length i32)
    (i32.store (i32.const 50000) (local.get $at))
    (i32.store (i32.const 50004) (local.get $length)))
  (func $open (param $at i32) (param $length i32) (param $flags i32) (param $rights i64) (result i32)
    (call $path_open (i32.const 3) (i32.const 1) (local.get $at) (local.get $length) (local.get $flags)
      (local.get $rights) (i64.const 0) (i32.const 0) (i32.const 50016)))
  (func $fd (result i32) (i32.load (i32.const 50016)))`

const command = (letter: string, run: string): string =>
  `(if (i32.eq (local.get $b) (i32.const ${letter.charCodeAt(0)})) (then ${run}))`
const OPEN_IT = '(call $open (local.get $payload) (local.get $length)'
const FAILS = `(if (local.tee $a ${OPEN_IT}`

/** Its input is a letter and a path: read, write, link, remove; or print, variables, exit, sleep, forge. */
const REACHES: WatGuest = {
  wasi: [
    'path_open',
    'fd_read',
    'fd_write',
    'fd_close',
    'path_symlink',
    'path_unlink_file',
    'environ_sizes_get',
    'environ_get',
    'poll_oneoff',
    'random_get',
    'fd_pwrite',
  ],
  texts: {
    target: '/etc/passwd',
    line: 'printed by a module\n',
    words: 'cannot load: Capabilities insufficient (os error 76)',
    other: 'the second line is no number',
  },
  more: ERRNO,
  execute: `(local.set $b (i32.load8_u (i32.add (local.get $payload) (i32.const 1))))
    (local.set $payload (i32.add (local.get $payload) (i32.const 2)))
    (local.set $length (i32.sub (local.get $length) (i32.const 3)))
    ${command(
      'r',
      `${FAILS} (i32.const 0) (i64.const 2))) (then (return (call $errno (local.get $a)))))
      (call $vector (i32.const 60101) (i32.const 1000))
      (if (local.tee $a (call $fd_read (call $fd) (i32.const 50000) (i32.const 1) (i32.const 50020)))
        (then (return (call $errno (local.get $a)))))
      (drop (call $fd_close (call $fd)))
      (return (call $said (i32.load (i32.const 50020))))`,
    )}
    ${command(
      'w',
      `${FAILS} (i32.const 9) (i64.const 64))) (then (return (call $errno (local.get $a)))))
      (call $vector (local.get $payload) (local.get $length))
      (local.set $a (call $fd_write (call $fd) (i32.const 50000) (i32.const 1) (i32.const 50020)))
      (drop (call $fd_close (call $fd)))
      (return (call $errno (local.get $a)))`,
    )}
    ${command('l', '(return (call $errno (call $path_symlink (call $text_target) (i32.const 3) (local.get $payload) (local.get $length))))')}
    ${command('u', '(return (call $errno (call $path_unlink_file (i32.const 3) (local.get $payload) (local.get $length))))')}
    ${command('p', '(call $vector (call $text_line)) (return (call $errno (call $fd_write (i32.const 1) (i32.const 50000) (i32.const 1) (i32.const 50020))))')}
    ${command(
      'e',
      `(drop (call $environ_sizes_get (i32.const 50024) (i32.const 50028)))
      (drop (call $environ_get (i32.const 50032) (i32.const 60101)))
      (local.set $b (i32.load (i32.const 50028)))
      (local.set $a (i32.const 0))
      (loop $next
        (if (i32.eqz (i32.load8_u (i32.add (i32.const 60101) (local.get $a))))
          (then (i32.store8 (i32.add (i32.const 60101) (local.get $a)) (i32.const 32))))
        (local.set $a (i32.add (local.get $a) (i32.const 1)))
        (br_if $next (i32.lt_u (local.get $a) (local.get $b))))
      (return (call $said (local.get $b)))`,
    )}
    ${command('s', '(i64.store (i32.const 50100) (i64.const 0)) (i64.store (i32.const 50108) (i64.const 0)) (i64.store (i32.const 50116) (i64.const 1)) (i64.store (i32.const 50124) (i64.const 60000000000)) (i64.store (i32.const 50132) (i64.const 0)) (i64.store (i32.const 50140) (i64.const 0)) (return (call $errno (call $poll_oneoff (i32.const 50100) (i32.const 50200) (i32.const 1) (i32.const 50240))))')}
    ${command(
      'o',
      `(loop $more (br_if $more (i32.eqz (local.tee $a
        (call $open (local.get $payload) (local.get $length) (i32.const 0) (i64.const 2))))))
      (return (call $errno (local.get $a)))`,
    )}
    ${command(
      'b',
      `${FAILS} (i32.const 1) (i64.const 64))) (then (return (call $errno (local.get $a)))))
      (call $vector (local.get $payload) (local.get $length))
      (local.set $a (call $fd_pwrite (call $fd) (i32.const 50000) (i32.const 1) (i64.const 2000000) (i32.const 50020)))
      (drop (call $fd_close (call $fd)))
      (return (call $errno (local.get $a)))`,
    )}
    ${command(
      'm',
      `(call $vector (call $text_line)) (local.set $b (i32.const 30000))
      (loop $more
        (drop (call $fd_write (i32.const 1) (i32.const 50000) (i32.const 1) (i32.const 50020)))
        (br_if $more (local.tee $b (i32.sub (local.get $b) (i32.const 1)))))
      (return (call $errno (i32.const 0)))`,
    )}
    ${command('t', `(drop ${OPEN_IT} (i32.const 0) (i64.const 2))) (return (call $fail (call $text_words)))`)}
    ${command('n', `(drop ${OPEN_IT} (i32.const 0) (i64.const 2))) (return (call $fail (call $text_other)))`)}
    ${command('d', '(call $deeper) (return (call $errno (i32.const 0)))')}
    ${command('f', '(return (call $errno (call $random_get (i32.const -8) (i32.const 16))))')}
    unreachable`,
}

describe('A hostile WebAssembly module, by WASI and in its sandbox,', function () {
  this.timeout(60_000)
  let daemon: TestDaemon
  const reach = async (input: string) => await daemon.call<string>('reaching', 'echo', input)
  const at = (name: string): string => daemon.world.path(name)

  before(async () => {
    daemon = await TestDaemon.start({
      base: '/var/tmp',
      environment: { GREETING: 'hi', OTHER_SECRET: 'not yours' },
      config: 'execution: {cancel_grace_ms: 2000}\n',
      files: {
        ...wasmPlugin(
          'reaching',
          REACHES,
          '[permissions]\npermissions = ["fs_read:./given", "fs_write:./out", "fs_write:./alone.txt", "env:GREETING"]\n',
        ),
        ...wasmPlugin(
          'exhausting',
          REACHES,
          '[permissions]\npermissions = ["fs_read:./given", "fs_write:./out"]\n' +
            '[resource_limits]\nmax_open_files = 64\nmax_file_size_mb = 1\n',
        ),
        ...wasmPlugin('neighbour', {}),
        'given/a.txt': 'hello',
        'out/old.txt': 'old',
        'alone.txt': 'a longer text',
        'plugins/reaching/note.txt': 'mine',
        'secret.txt': 'not yours',
      },
      prepare(world) {
        fs.symlinkSync('../secret.txt', world.path('given/link.txt'))
        fs.symlinkSync('..', world.path('given/up'))
        fs.symlinkSync(world.path('secret.txt'), world.path('out/link.txt'))
        execFileSync('mkfifo', [world.path('given/fifo')])
        fs.chmodSync(world.path('out'), 0o777)
        fs.chmodSync(world.path('alone.txt'), 0o666)
      },
    })
    expect((await daemon.call('neighbour', 'echo', 1)).result).to.equal(1)
  })
  after(() => daemon.stop())

  it('reads and writes what it was granted, its own folder and its data folder', async () => {
    for (const spelt of ['given/a.txt', at('given/a.txt'), 'given/../given/./a.txt'])
      expect((await reach(`r${spelt}`)).result, spelt).to.equal('hello')
    const { result, created_files: created, warnings } = await reach('wout/new.txt')
    expect({ result, created, warnings }).to.deep.equal({
      result: '00',
      created: [at('out/new.txt')],
      warnings: [],
    })
    expect(fs.readFileSync(at('out/new.txt'), 'utf8')).to.equal('out/new.txt')
    if ((await daemon.system.get_status()).tier === 'namespace')
      expect((await reach('w/tmp/mine')).result).to.equal('00')
    expect((await reach(`r${at('plugins/reaching/note.txt')}`)).result).to.equal('mine')
    expect((await reach('ralone.txt')).result).to.equal('a longer text')
    expect((await reach('walone.txt')).result).to.equal('00')
    expect(fs.readFileSync(at('alone.txt'), 'utf8')).to.equal('alone.txt')
  })

  const CAPABILITY = '76'
  for (const [what, name, missing] of [
    ['a file beside its grants', 'rsecret.txt', 'fs_read:./secret.txt'],
    ['a file by ..', 'rgiven/../secret.txt', 'fs_read:./secret.txt'],
    ['a file through a link', 'rgiven/link.txt', 'fs_read:./secret.txt'],
    ['a file through a link to a folder', 'rgiven/up/secret.txt', 'fs_read:./secret.txt'],
    ['the users of the machine', 'r/etc/passwd', 'fs_read:/etc/passwd'],
    ["another plugin's code", 'rplugins/neighbour/plugin.wasm', 'fs_read:./plugins/neighbour/plugin.wasm'],
    ['its read-only grant, to write', 'wgiven/a.txt', 'fs_write:./given/a.txt'],
    ['its read-only grant, to remove', 'ugiven/a.txt', 'fs_write:./given/a.txt'],
    ['a file outside, to write', 'wsecret.txt', 'fs_write:./secret.txt'],
    ['a file outside through a link, to write', 'wout/link.txt', 'fs_write:./secret.txt'],
  ] as const) {
    it(`does not get ${what}, and the caller is told what is missing`, async () => {
      const { result, warnings } = await reach(name)
      expect(result).to.equal(CAPABILITY)
      expect(warnings.join('\n')).to.include(`${missing} is not granted; to allow it add`)
    })
  }

  for (const [what, name] of [
    ['its own environment', 'r/proc/self/environ'],
    ['its own memory', 'r/proc/self/mem'],
    ["the process's descriptors", 'r/proc/self/fd/3'],
    ['its code, to write', 'wplugins/reaching/plugin.wasm'],
    ["the daemon's state", 'r.phantom/plugins/state.db'],
    ['a device', 'r/dev/urandom'],
  ] as const) {
    it(`does not get ${what}`, async () => {
      expect((await reach(name)).result).to.equal(CAPABILITY)
    })
  }

  it('fails of what was refused by its number alone, and the caller is told what is missing', async () => {
    const error = await daemon.refusal('reaching', 'echo', 'tsecret.txt')
    expect(error.code).to.equal('PERMISSION_DENIED')
    expect(error.details['missing']).to.deep.equal(['fs_read:./secret.txt'])
    // Nothing was refused, whatever it says; and of something else it fails as itself.
    expect(await reach('tgiven/none')).to.deep.include({ success: false, warnings: [] })
    const { success, error: words, warnings } = await reach('nsecret.txt')
    expect({ success, words }).to.deep.equal({ success: false, words: 'the second line is no number' })
    expect(warnings.join('\n')).to.include('fs_read:./secret.txt is not granted')
  })

  it('is not held by a pipe, and makes no link', async () => {
    expect((await reach('rgiven/fifo')).result).to.equal('02')
    expect((await reach('lout/mine')).result).to.equal(CAPABILITY)
    expect(fs.existsSync(at('out/mine'))).to.equal(false)
    expect(fs.readFileSync(at('secret.txt'), 'utf8')).to.equal('not yours')
    expect(fs.readFileSync(at('given/a.txt'), 'utf8')).to.equal('hello')
  })

  it('sees the variables that it was granted, and no other', async () => {
    const { result } = await reach('e')
    const names = (result ?? '')
      .trim()
      .split(' ')
      .map((one) => one.split('=')[0])
    expect(names.filter((one) => one !== 'TZ')).to.deep.equal(['GREETING'])
    expect(result).to.include('GREETING=hi')
  })

  it('prints lines of its log, and forges no address', async () => {
    expect((await reach('p')).result).to.equal('00')
    // It comes by another way than the answer.
    await until(async () => {
      const lines = await daemon.system.get_plugin_logs({ plugin_id: 'reaching' })
      return lines.some(({ message }) => message === 'printed by a module')
    }, 'its line')
    expect((await reach('f')).result).to.equal('21')
  })

  it('sleeps no longer than its call is wanted', async () => {
    const controller = new AbortController()
    const call = daemon.call('reaching', 'echo', 's', { signal: controller.signal })
    const pid = await daemon.pidOf('reaching')
    controller.abort()
    await call.catch((error: unknown) => expect(error).to.have.property('code', 'CALL_CANCELLED'))
    expect((await reach('rgiven/a.txt')).result).to.equal('hello')
    expect(await daemon.pidOf('reaching'), 'in the same process').to.equal(pid)
  })

  it('opens as many files as it may, writes as large ones, and recurses as deep', async () => {
    const exhaust = async (input: string) => await daemon.call<string>('exhausting', 'echo', input)
    expect((await exhaust('bout/large')).result, 'EFBIG').to.equal('22')
    expect(fs.statSync(at('out/large')).size).to.equal(0)
    const pid = await daemon.pidOf('exhausting')
    expect((await exhaust('d')).success).to.equal(false)
    expect((await exhaust('rgiven/a.txt')).result, 'in a new instance').to.equal('hello')
    expect((await exhaust('ogiven/a.txt')).result, 'EMFILE').to.equal('33')
    expect((await exhaust('rgiven/a.txt')).result, 'EMFILE').to.equal('33')
    expect((await exhaust('d')).success).to.equal(false)
    expect((await exhaust('rgiven/a.txt')).result, 'what the old instance had open is closed').to.equal(
      'hello',
    )
    expect(await daemon.pidOf('exhausting')).to.equal(pid)
  })

  it('prints as much as it likes, and keeps nobody from working', async () => {
    const printing = reach('m')
    expect((await daemon.call('neighbour', 'echo', 1)).result).to.equal(1)
    expect((await printing).result).to.equal('00')
    expect((await reach('rgiven/a.txt')).result).to.equal('hello')
  })

  it('has harmed nobody beside it', async () => {
    expect((await daemon.call('neighbour', 'echo', 1)).result).to.equal(1)
  })
})
