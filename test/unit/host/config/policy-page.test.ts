import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { expect } from 'chai'
import { applyAdminRules } from '../../../../host/approvals/admin-rules.ts'
import { parseRights, rightText } from '../../../../host/approvals/right.ts'
import { PolicySource } from '../../../../host/config/policy/policy-source.ts'

const PAGE = path.resolve(import.meta.dirname, '../../../../docs/permissions.md')

describe('the sample of docs/permissions.md for policy.yaml', () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-policy-page-'))
  after(() => fs.rmSync(folder, { recursive: true, force: true }))

  it('is read, and takes away what the page says', () => {
    const text = /<!-- sample: policy -->\n```yaml\n(.*?)```/s.exec(fs.readFileSync(PAGE, 'utf8'))?.[1] ?? ''
    fs.writeFileSync(path.join(folder, 'policy.yaml'), text)
    const source = new PolicySource({
      configDirectory: folder,
      reload: () => ({ watch: false, debounceMs: 0 }),
      onError: () => undefined,
      onChange: () => undefined,
    })
    expect(source.fault).to.equal(null)
    const left = (id: string, author: string | null, asked: string): string[] => {
      const rights = parseRights(asked)
      if ('error' in rights) throw new Error(rights.error)
      return rights
        .flatMap((right) => applyAdminRules(right, source.rulesFor({ id, author })).left)
        .map(rightText)
    }
    expect(left('any', null, 'process')).to.deep.equal([])
    expect(left('any', null, 'fs_write:/srv/app')).to.deep.equal([])
    expect(left('any', null, 'fs_read:/srv/app')).to.deep.equal(['fs_read:/srv/app'])
    expect(left('any', 'Jane Doe', 'network:api.example.org,b.org,x.example.com:8443')).to.deep.equal([
      'network:api.example.org',
      'network:x.example.com:8443',
    ])
    expect(left('any', 'Jane Doe', 'env:LANG')).to.deep.equal([])
    expect(left('report', null, 'fs_write:.')).to.deep.equal(['fs_write:${workspace}/data'])
    expect(source.rulesFor({ id: 'legacy', author: null }).at(-1)?.blockedAt).to.be.a('string')
  })
})
