import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect } from 'chai'
import { inspectExecutable, type Executable } from '../../host/native/executable.ts'
import { ExecutableError } from '../../host/native/executable-error.ts'
import { nativeMachine } from '../../host/native/machine-names.ts'
import { readManifest } from '../../host/registry/read-manifest.ts'
import { issueText } from '../../src/contract/manifest/issue-list.ts'
import { elfFile } from '../helpers/elf-file.ts'
import { canCompile, compile, needGcc, needPython, systemPython } from '../helpers/native-programs.ts'
import { manifestText, write } from '../helpers/plugin-folders.ts'
import { skipBecause } from '../helpers/skip.ts'

const MAIN = 'int main(void) { return 0; }'
const FOREIGN = process.arch === 'arm64' ? 62 : 183

describe('The executable of a native plugin', () => {
  let root = ''

  before(function () {
    if (nativeMachine() === null) skipBecause.call(this, `no native plugin runs on ${process.arch}`)
    root = realpathSync(mkdtempSync(join(tmpdir(), 'phantom-native-')))
  })
  after(() => rmSync(root, { recursive: true, force: true }))

  const inspect = (file: string): Promise<Executable> => {
    const own = { path: dirname(file), inside: dirname(file) }
    return inspectExecutable(own, file.slice(dirname(file).length + 1), nativeMachine()!)
  }

  async function refusal(file: string): Promise<string> {
    try {
      await inspect(file)
    } catch (error) {
      if (error instanceof ExecutableError) return `${error.message}. ${error.remedy}`
      throw error
    }
    throw new Error('it was taken')
  }

  function program(name: string, content: string | Buffer, mode = 0o755): string {
    const file = join(root, name)
    write(file, content)
    chmodSync(file, mode)
    return file
  }

  describe('is refused in words', () => {
    const refused: Readonly<Record<string, readonly [() => string, RegExp]>> = {
      'when it is not there': [() => join(root, 'nothing'), /^it does not exist\. Build the program/],
      'when it is a folder': [
        () => (mkdirSync(join(root, 'folder'), { recursive: true }), join(root, 'folder')),
        /it is no regular file/,
      ],
      'when it is a link out of the folder': [
        () => (symlinkSync('/bin/true', join(root, 'leaving')), join(root, 'leaving')),
        /a link that leaves the plugin folder/,
      ],
      'when it is a link to itself': [
        () => (symlinkSync('circle', join(root, 'circle')), join(root, 'circle')),
        /links lead in a circle/,
      ],
      'without a run bit': [
        () => program('no-bit', elfFile(), 0o644),
        /^it has no run bit\. Set it: chmod \+x$/,
      ],
      'when it is empty': [() => program('empty', ''), /^it is empty\./],
      'with the set-user-ID bit': [() => program('set-uid', elfFile(), 0o4755), /set-user-ID.*chmod ug-s/],
      'for another machine': [
        () => program('foreign', elfFile({ machine: FOREIGN })),
        /^it is for (?:x86-64|aarch64), this machine is/,
      ],
      'of 32 bits': [() => program('small', elfFile({ class: 1, machine: 3 })), /it is a 32-bit program/],
      'when it is neither program nor script': [
        () => program('text', 'hello\n'),
        /neither a program nor a script/,
      ],
      'when it is a module': [
        () => program('module', '\0asm\u0001\0\0\0'),
        /^it is a WebAssembly module\. Say type = "wasm", and let its name end in \.wasm$/,
      ],
      'when it is of Windows': [
        () => program('main.exe', 'MZ\u0090\0'),
        /^it is a Windows program\. Build a program for \S+ Linux$/,
      ],
      'when it is a library': [
        () => program('lib', elfFile({ machine: nativeMachine()!.elfMachine, type: 3, entry: 0n })),
        /it is a shared library/,
      ],
      'when its interpreter is missing': [
        () => program('lost.py', '#!/usr/bin/python9\n'),
        /its interpreter "\/usr\/bin\/python9" is not there\. Install it/,
      ],
      'when env does not find its interpreter': [
        () => program('lost-env.py', '#!/usr/bin/env python9\n'),
        /its interpreter "python9" is not installed \(looked in \/usr\/local\/bin, /,
      ],
      'when its interpreter lies in no folder of the system': [
        () => program('own.py', `#!${program('interpreter', elfFile())}\n`),
        /which is no folder of the system\. Name one that was installed for all users/,
      ],
      'when its interpreter is a script': [
        () => program('script-of-script', '#!/usr/bin/ldd\n'),
        /its interpreter "\/usr\/bin\/ldd" is a script itself/,
      ],
      'when its loader is any other file': [
        () =>
          program(
            'loader',
            elfFile({ machine: nativeMachine()!.elfMachine, loader: '/etc/passwd', needed: ['libc.so.6'] }),
          ),
        /its loader "\/etc\/passwd" is not there, or is no loader/,
      ],
      'when a library has the path of any other file': [
        () =>
          program(
            'by-path',
            elfFile({ machine: nativeMachine()!.elfMachine, loader: realLoader(), needed: ['/etc/shadow'] }),
          ),
        /needs the shared library "\/etc\/shadow", which is not there/,
      ],
      'when a library is missing': [
        () =>
          program(
            'missing',
            elfFile({
              machine: nativeMachine()!.elfMachine,
              loader: realLoader(),
              needed: ['libnothing.so.9'],
            }),
          ),
        /needs the shared library "libnothing\.so\.9", which is not there\. Install it, or put it beside/,
      ],
      'when a library lies where nothing is shown': [
        () =>
          program(
            'hidden',
            elfFile({
              machine: nativeMachine()!.elfMachine,
              loader: realLoader(),
              needed: ['lib9.so'],
              runpath: '/home/ada/lib',
            }),
          ),
        /which is not there \(a plugin does not see "\/home\/ada\/lib", where it is to look\)/,
      ],
      'when its folders and libraries multiply': [
        () =>
          program(
            'bomb',
            elfFile({
              machine: nativeMachine()!.elfMachine,
              loader: realLoader(),
              needed: Array.from({ length: 20 }, (_, at) => `lib${at}.so`),
              rpath: Array.from({ length: 1300 }, (_, at) => `/${at.toString(36)}`)
                .join(':')
                .slice(0, 4000),
              type: 3,
            }),
          ),
        /libraries in too many folders|shared library "lib0\.so"/,
      ],
    }
    for (const [what, [make, words]] of Object.entries(refused))
      it(what, async () => expect(await refusal(make())).to.match(words))

    it('when only its owner may run it, and its process has another user', async function () {
      if (process.getuid?.() !== 0) skipBecause.call(this, 'only a root daemon gives its plugins other users')
      expect(await refusal(program('private', elfFile(), 0o700))).to.match(
        /other users may not read and run it/,
      )
    })
  })

  describe('that gcc made', () => {
    before(needGcc)

    it('gets its loader and its libraries, and they are those that ldd names', async () => {
      const file = compile(join(root, 'gcc/dynamic'), MAIN, ['-Wl,--no-as-needed', '-lm'])
      const { before, systemPaths, systemLinks } = await inspect(file)
      expect({ before, systemLinks }).to.deep.equal({ before: [], systemLinks: [] })
      const named = spawnSync('ldd', [file], { encoding: 'utf8' }).stdout.matchAll(/(\/\S+) \(0x/g)
      expect(systemPaths.map((path) => realpathSync(path))).to.include.members(
        Array.from(named, ([, path]) => realpathSync(path!)),
      )
      expect(systemPaths.filter((path) => /libm\.so/.test(path))).to.have.lengthOf(1)
    })

    it('needs nothing where it is static', async function () {
      if (!canCompile(root, ['-static'])) skipBecause.call(this, 'gcc makes no static programs here')
      const file = compile(join(root, 'gcc/static'), MAIN, ['-static'])
      expect((await inspect(file)).systemPaths).to.deep.equal([])
    })

    it('of 32 bits is told apart', async function () {
      if (!canCompile(root, ['-m32'])) skipBecause.call(this, 'gcc makes no 32-bit programs here')
      expect(await refusal(compile(join(root, 'gcc/small'), MAIN, ['-m32']))).to.match(
        /it is a 32-bit program/,
      )
    })

    it('an object file is told apart', async () => {
      const file = compile(join(root, 'gcc/object.o'), MAIN, ['-c'])
      chmodSync(file, 0o755)
      expect(await refusal(file)).to.match(/it is an object file/)
    })

    for (const [kind, flag] of [
      ['RUNPATH', '-Wl,--enable-new-dtags'],
      ['RPATH', '-Wl,--disable-new-dtags'],
    ] as const) {
      it(`finds a library of its own by ${kind} and $ORIGIN, and what that needs`, async () => {
        const folder = join(root, `origin-${kind}`)
        mkdirSync(join(folder, 'lib'), { recursive: true })
        compile(join(folder, 'lib/libinner.so'), 'int inner(void) { return 2; }', ['-shared', '-fPIC'])
        compile(join(folder, 'lib/libouter.so'), 'int inner(void); int outer(void) { return inner(); }', [
          '-shared',
          '-fPIC',
          `-L${folder}/lib`,
          '-linner',
          flag,
          '-Wl,-rpath,$ORIGIN',
        ])
        const source = 'int outer(void); int main(void) { return outer() - 2; }'
        const file = compile(join(folder, 'main'), source, [
          `-L${folder}/lib`,
          '-louter',
          flag,
          '-Wl,-rpath,$ORIGIN/lib',
          `-Wl,-rpath-link,${folder}/lib`,
        ])
        expect(spawnSync(file).status).to.equal(0)
        const { systemPaths } = await inspect(file)
        expect(systemPaths.join())
          .to.match(/libc\.so/)
          .and.not.contain(folder)
        rmSync(join(folder, 'lib/libinner.so'))
        expect(await refusal(file)).to.match(/needs the shared library "libinner\.so"/)
      })
    }

    it('is a finding of a manifest that is read, with its line', async () => {
      const folder = join(root, 'plugin')
      write(
        join(folder, 'plugin.toml'),
        manifestText('n').replace('javascript', 'native').replace('index.js', 'bin/main'),
      )
      const findings = async (): Promise<string> =>
        (await readManifest(folder)).issues.map(issueText).join('\n')
      expect(await findings()).to.match(
        /plugin\.toml:6:1: Cannot use "plugin\.entry_point": "bin\/main": it does not exist\. Build the program/,
      )
      compile(join(folder, 'bin/main'), MAIN)
      expect(await findings()).to.equal('')
      chmodSync(join(folder, 'bin/main'), 0o644)
      expect(await findings()).to.match(/"bin\/main": it has no run bit\. Set it: chmod \+x/)
    })
  })

  it('that is a Python script gets the interpreter, its own library, and what its modules need', async function () {
    needPython.call(this)
    const { before, systemPaths, systemLinks } = await inspect(program('main.py', '#!/usr/bin/env python3\n'))
    expect(before).to.deep.equal([systemPython()])
    const canonical = realpathSync(systemPython()!)
    expect(systemPaths).to.include(canonical)
    if (canonical !== systemPython())
      expect(systemLinks).to.deep.equal([{ at: systemPython(), to: canonical }])
    const library = spawnSync(canonical, ['-I', '-c', 'import os; print(os.__file__)'], {
      encoding: 'utf8',
    }).stdout
    expect(systemPaths.map((path) => realpathSync(path))).to.include(realpathSync(dirname(library.trim())))
    const json = program('argument.py', `#!${systemPython()} -I\n`)
    expect((await inspect(json)).before).to.deep.equal([systemPython(), '-I'])
  })

  it('is shown the system under its own names alone, whatever way its headers take there', async () => {
    symlinkSync('/bin/sh', join(root, 'shell'))
    const outside = mkdtempSync(join(tmpdir(), 'phantom-elsewhere-'))
    try {
      symlinkSync(realLoader(), join(outside, 'ld.so'))
      const { elfMachine: machine } = nativeMachine()!
      const lost = /its loader .* is not there, or is no loader/
      expect(
        await refusal(program('by-link-outside', elfFile({ machine, loader: join(outside, 'ld.so') }))),
      ).to.match(lost)
      const needed = ['libc.so.6']
      const climbing = program('climbing', elfFile({ machine, loader: `/usr/..${realLoader()}`, needed }))
      expect((await inspect(climbing)).systemPaths).to.include(realLoader())
      const named = program(
        'named',
        elfFile({ machine, loader: realLoader(), needed: [`/tmp/..${realLoader()}`] }),
      )
      for (const { systemPaths } of [await inspect(climbing), await inspect(named)])
        for (const path of systemPaths)
          expect(path)
            .to.match(/^\/(?:usr|lib)/)
            .and.not.contain('..')
      for (const way of [join(root, 'shell'), `/usr/../bin/sh`, '/proc/self/root/bin/sh']) {
        const { before, systemLinks } = await inspect(program('way', `#!${way}\n`))
        expect({ before, systemLinks }, way).to.deep.equal({
          before: [realpathSync('/bin/sh')],
          systemLinks: [],
        })
      }
    } finally {
      rmSync(outside, { recursive: true })
    }
  })

  it('holds up nobody, whatever folders it names for its libraries', async function () {
    // Where each library tried all folders of all that load it, this took the daemon's loop for 22 s.
    this.timeout(10_000)
    const { elfMachine: machine } = nativeMachine()!
    const rpath = `$ORIGIN:${'/:'.repeat(2000)}`
    const libraries = Array.from({ length: 150 }, (_, at) => `chain/lib${at}.so`)
    for (const [at, name] of libraries.entries())
      program(name, elfFile({ machine, type: 3, rpath, needed: [`lib${at + 1}.so`] }))
    program('chain/lib150.so', elfFile({ machine, type: 3 }))
    const first = elfFile({ machine, rpath, loader: realLoader(), needed: ['lib0.so'] })
    expect((await inspect(program('chain/main', first))).systemPaths).to.include(realLoader())
  })

  it('that is a link inside of its folder is followed', async () => {
    program(
      'inside/real',
      elfFile({ type: 3, loader: realLoader(), needed: ['libc.so.6'], machine: nativeMachine()!.elfMachine }),
    )
    symlinkSync('inside/real', join(root, 'by-link'))
    const { systemPaths } = await inspect(join(root, 'by-link'))
    expect(systemPaths).to.include(realLoader())
  })

  /** Of a program that every system has. */
  function realLoader(): string {
    return process.arch === 'arm64' ? '/lib/ld-linux-aarch64.so.1' : '/lib64/ld-linux-x86-64.so.2'
  }
})
