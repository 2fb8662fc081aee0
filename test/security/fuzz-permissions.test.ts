import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { expect } from 'chai'
import * as fc from 'fast-check'
import { contains } from '../../host/sandbox/paths.ts'
import { resolvePolicy } from '../../host/sandbox/policy.ts'
import { heldOf, parseRights, type Right } from '../../host/approvals/right.ts'
import { isLoaderVariable, parsePermission, type Permission } from '../../src/contract/permission.ts'
import { fuzz, textOf } from '../helpers/fuzz.ts'

const PARTS = [
  'fs_read:',
  'fs_write:',
  'network:',
  'env:',
  'process',
  'runtime:ffi',
  '/',
  '//',
  './',
  '../',
  '..',
  'data',
  'out',
  'link',
  'etc/passwd',
  'proc/1/root',
  'sys',
  'dev/mem',
  '${workspace}',
  '${plugin_dir}',
  '${data_dir}',
  '${HOME}',
  '~',
  '*',
  '*.',
  '?',
  ',',
  ' ',
  ':',
  ':443',
  ':0',
  'LANG',
  'LD_PRELOAD',
  'NODE_OPTIONS',
  'A=B',
  '__proto__',
  'example.org',
  'EXAMPLE.org.',
  'xn--a',
  '127.0.0.1',
  '0x7f.1',
  '[::1]',
  '[',
  '%2e%2e',
  '\u0000',
  '\n',
  '--bind',
  '.phantom',
  'tools/plugins',
]
const written = textOf(PARTS)
/** The same with a kind in front, so that most of them get further. */
const permission = fc
  .tuple(fc.constantFrom('fs_read:', 'fs_write:', 'network:', 'env:', ''), textOf(PARTS, 6))
  .map((both) => both.join(''))

describe('A permission as somebody hostile may write it', function () {
  this.timeout(60_000)

  it('is refused in words, or is what it says and nothing that is granted to nobody', () => {
    fuzz(
      fc.property(fc.oneof(written, permission), (text) => {
        const parsed = parsePermission(text)
        if ('error' in parsed) {
          expect(parsed.error).to.match(/^Cannot grant .+/s)
          return
        }
        expect(parsed.declared).to.equal(text)
        expectHarmless(parsed)
        expect(text, 'control characters').to.match(/^[^\u0000-\u001f\u007f]*$/)
      }),
    )
  })

  it('keeps its meaning when it is written down and read again', () => {
    fuzz(
      fc.property(permission, (text) => {
        const rights = parseRights(text)
        if ('error' in rights) return
        for (const right of rights) {
          const again = parseRights(right.value === '' ? right.kind : `${right.kind}:${right.value}`)
          // "/" and the like are spelt once, and may be refused when they stand alone.
          if (!('error' in again)) expect(again).to.deep.equal([right])
        }
      }),
    )
  })
})

describe('What is held of a right', function () {
  this.timeout(60_000)
  const segment = fc.constantFrom('a', 'b', 'ab', 'a.b')
  const folder = fc
    .array(segment, { maxLength: 3 })
    .map((parts) => `/srv${parts.map((part) => `/${part}`).join('')}`)
  const host = fc
    .tuple(
      fc.constantFrom('', '*.'),
      fc.array(segment, { minLength: 1, maxLength: 3 }),
      fc.constantFrom('', ':80', ':8080'),
    )
    .map(([star, labels, port]) => `${star}${labels.join('.')}${port}`)
  const right: fc.Arbitrary<Right> = fc.oneof(
    fc.record({ kind: fc.constantFrom('fs_read' as const, 'fs_write' as const), value: folder }),
    fc.record({ kind: fc.constant('network' as const), value: host }),
    fc.record({ kind: fc.constant('env' as const), value: fc.constantFrom('A', 'B', 'AB') }),
    fc.constant({ kind: 'process' as const, value: '' }),
  )

  it('is what was asked and what was given, point by point, and never more', () => {
    fuzz(
      fc.property(right, fc.array(right, { maxLength: 4 }), right, (asked, given, point) => {
        const held = heldOf(asked, given)
        const isHeld = held.some((part) => allows(part, point))
        const should = allows(asked, point) && given.some((part) => allows(part, point))
        if (isHeld && !should) expect.fail(`${JSON.stringify(held)} allows ${JSON.stringify(point)}`)
        if (!isHeld && should) expect.fail(`${JSON.stringify(held)} lost ${JSON.stringify(point)}`)
      }),
    )
  })
})

describe('A policy of whatever was asked', function () {
  this.timeout(60_000)
  const root = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-fuzz-')))
  const at = (...names: string[]): string => path.join(root, ...names)
  after(() => fs.rmSync(root, { recursive: true, force: true }))

  it('grants nothing outside of what its words reach, and never the daemon its own', () => {
    for (const folder of [
      'work/data',
      'work/out',
      'work/tools/plugins/mine',
      'work/.phantom/data/mine',
      'outside',
    ])
      fs.mkdirSync(at(folder), { recursive: true })
    fs.writeFileSync(at('outside/secret.txt'), 'x')
    fs.symlinkSync(at('outside'), at('work/link'))
    fs.symlinkSync(at('work/.phantom'), at('work/data/link'))
    const roots = {
      workspace: at('work'),
      pluginDir: at('work/tools/plugins/mine'),
      dataDir: at('work/.phantom/data/mine'),
      hidden: [at('work/.phantom')],
      secretsFile: null,
      protect: [at('work/tools/plugins')],
      forbidden: [],
      environment: { LANG: 'C', SECRET: 'x' },
      identity: null,
    }
    const relative = textOf(
      [
        'data',
        'out',
        'link',
        'link/secret.txt',
        '/',
        './',
        '${data_dir}',
        '${plugin_dir}',
        '${workspace}',
        '.phantom',
        'tools',
        'new',
      ],
      5,
    )
    fuzz(
      fc.property(fc.constantFrom('fs_read:', 'fs_write:'), relative, (kind, value) => {
        const parsed = parsePermission(`${kind}${value}`)
        if ('error' in parsed || value.startsWith('/')) return
        const policy = resolvePolicy([parsed], roots, { tier: 'namespace' })
        for (const granted of [...policy.readPaths, ...policy.writePaths]) {
          expect(contains(at('work'), granted), granted).to.be.true
          const isOwn = contains(roots.dataDir, granted)
          expect(contains(at('work/.phantom'), granted) && !isOwn, granted).to.be.false
        }
        for (const granted of policy.writePaths)
          expect(contains(at('work/tools/plugins'), granted), granted).to.be.false
      }),
    )
  })
})

function expectHarmless(parsed: Permission): void {
  switch (parsed.kind) {
    case 'fs_read':
    case 'fs_write': {
      const segments = parsed.path.split('/').filter((segment) => segment !== '' && segment !== '.')
      expect(segments).to.not.include('..')
      expect(parsed.path).to.match(/^[^*?~][^*?]*$/)
      if (parsed.path.startsWith('/')) expect(segments[0]).to.not.be.oneOf(['proc', 'sys', 'dev'])
      return
    }
    case 'env':
      for (const name of parsed.variables) {
        expect(name).to.match(/^[A-Za-z_]\w*$/)
        expect(isLoaderVariable(name)).to.be.false
      }
      return
    case 'network':
      for (const name of parsed.hosts)
        expect(name).to.match(/^(?:\*|(?:\*\.)?[a-z0-9_.-]+|\[[0-9a-f:.]+\])(?::\d+)?$/)
      return
    default:
      expect(parsed).to.deep.equal({ kind: 'process', declared: 'process' })
  }
}

/** A slow and plain reading of what a right allows; `point` is the smallest thing that there is. */
function allows(right: Right, point: Right): boolean {
  if (right.kind === 'network' && point.kind === 'network') return allowsHost(right.value, point.value)
  const isPath = (one: Right): boolean => one.kind === 'fs_read' || one.kind === 'fs_write'
  if (!isPath(right) || !isPath(point)) return right.kind === point.kind && right.value === point.value
  if (point.kind === 'fs_write' && right.kind === 'fs_read') return false
  return `${point.value}/`.startsWith(`${right.value}/`)
}

function allowsHost(rule: string, point: string): boolean {
  const [ruleHost = '', rulePort = ''] = rule.split(':')
  const [host = '', port = ''] = point.replace('*.', 'any.').split(':')
  const ports = rulePort === '' ? ['80', '443'] : [rulePort]
  if (!ports.includes(port === '' ? '443' : port)) return false
  return ruleHost.startsWith('*.')
    ? host.endsWith(ruleHost.slice(1)) && host !== ruleHost.slice(2)
    : host === ruleHost
}
