import os from 'node:os'
import { expect } from 'chai'
import { parseRights } from '../../../../host/approvals/right.ts'
import { assess } from '../../../../host/approvals/risk.ts'

function assessed(text: string): { risk: string; sentence: string } {
  const rights = parseRights(text)
  if ('error' in rights) throw new Error(rights.error)
  const [right] = rights
  if (right === undefined) throw new Error('no right')
  return assess(right)
}

describe('assess()', () => {
  const expected: Readonly<Record<string, readonly string[]>> = {
    low: [
      'fs_read:.',
      'fs_read:./data',
      'fs_read:./.environment',
      'fs_read:${plugin_dir}',
      'fs_write:${data_dir}/cache',
      'env:LANG',
    ],
    medium: [
      'fs_write:.',
      'fs_read:/srv/data',
      'fs_write:/srv/data',
      'fs_read:/home/ada/project',
      'fs_read:/etc/hostname',
      'network:api.example.org',
      'network:*.example.org:8443',
      'network:*.co.example.org',
      'network:93.184.216.34',
      'network:[2606:2800:220:1::1]:443',
      'fs_read:.env',
      'fs_read:config/.env.production',
      'fs_read:.npmrc',
      'env:API_TOKEN',
      'env:AWS_SECRET_ACCESS_KEY',
      'runtime:eval',
      'runtime:sqlite',
    ],
    high: [
      'fs_read:/',
      'fs_write:/',
      'fs_read:/home',
      'fs_read:/home/ada',
      'fs_read:/root',
      `fs_read:${os.homedir()}`,
      'fs_read:/etc',
      'fs_read:/usr',
      'fs_read:/var',
      'fs_read:/etc/shadow',
      'fs_read:/etc/shadow-',
      'fs_read:/etc/sudoers.d/ada',
      'fs_read:/etc/wireguard/wg0.conf',
      'fs_read:/var/backups/shadow.bak',
      'fs_read:/var/run/secrets/kubernetes.io/serviceaccount',
      'fs_read:/srv/deploy/.vault-token',
      'fs_write:/var/spool/cron/crontabs',
      'fs_read:/etc/ssh/keys',
      'fs_read:/home/ada/.ssh',
      'fs_read:/home/ada/.aws/credentials',
      'fs_read:/home/ada/.git-credentials',
      'fs_write:/home/ada/.bashrc',
      'fs_write:/root/.config/autostart',
      `fs_write:${os.homedir()}/.profile`,
      'fs_write:/etc/cron.d',
      'fs_write:/usr/local/bin',
      'fs_write:/lib/systemd',
      'network:*',
      'network:*:8080',
      'network:*.com',
      'network:*.co.uk',
      'network:127.0.0.1:5432',
      'network:169.254.169.254',
      'network:10.0.0.7',
      'network:[::1]',
      'network:[::ffff:192.168.0.1]',
      'process',
      'runtime:addons',
      'runtime:ffi',
      'runtime:inspector',
    ],
  }
  for (const [risk, texts] of Object.entries(expected)) {
    it(`names ${risk} what is ${risk}`, () => {
      for (const text of texts) expect(assessed(text).risk, text).to.equal(risk)
    })
  }

  it('says in a sentence what a right means', () => {
    expect(assessed('fs_write:./out').sentence).to.equal(
      'reads, changes and deletes "out" in the workspace and all below it',
    )
    expect(assessed('fs_read:/').sentence).to.equal('reads "/" and all below it: the whole machine')
    expect(assessed('network:*').sentence).to.include('every host of the internet on port 80 and 443')
    expect(assessed('network:*.a.org:8443').sentence).to.include('every host below a.org on port 8443')
    expect(assessed('network:127.0.0.1').sentence).to.include('a loopback address')
  })
})
