import { expect } from 'chai'
import { parsePermission } from '../../../src/contract/permission.ts'

describe('parsePermission()', () => {
  it('reads every kind of the specification', () => {
    expect(parsePermission('fs_read:./data')).to.deep.equal({
      kind: 'fs_read',
      declared: 'fs_read:./data',
      path: './data',
    })
    expect(parsePermission('fs_write:/var/lib/out')).to.deep.include({
      kind: 'fs_write',
      path: '/var/lib/out',
    })
    expect(parsePermission('env:LANG, TZ,LANG')).to.deep.include({ kind: 'env', variables: ['LANG', 'TZ'] })
    expect(parsePermission('process')).to.deep.equal({ kind: 'process', declared: 'process' })
    expect(
      parsePermission('network:API.example.org:0443,*.example.org,10.0.0.7,[::0001]:80'),
    ).to.deep.include({
      kind: 'network',
      hosts: ['api.example.org:443', '*.example.org', '10.0.0.7', '[::1]:80'],
    })
  })

  it('reads what only a person approves: the whole machine, every host', () => {
    expect(parsePermission('fs_read:/')).to.deep.include({ path: '/' })
    expect(parsePermission('network:*,*:8443')).to.deep.include({ hosts: ['*', '*:8443'] })
  })

  it('has one spelling for an IPv4 address that is written as IPv6', () => {
    expect(parsePermission('network:[::ffff:10.0.0.7]:80')).to.deep.include({ hosts: ['10.0.0.7:80'] })
  })

  it('allows a variable of ours as the first part of a path', () => {
    for (const path of [
      '${workspace}',
      '${workspace}/logs',
      '${plugin_dir}/model.bin',
      '${data_dir}/cache',
    ]) {
      expect(parsePermission(`fs_read:${path}`)).to.deep.include({ path })
    }
  })

  const refused: readonly (readonly [string, RegExp])[] = [
    ['', /it is empty\. Write a permission/],
    ['fs_read', /names no path\. Write one, "fs_read:\.\/data"/],
    ['fs_write:', /names no path/],
    ['fs_read: ./data', /begins or ends with a blank/],
    ['fs_raed:./data', /kind "fs_raed" is unknown\. Did you mean "fs_read"\?/],
    ['FS_READ:./data', /Did you mean "fs_read"\?/],
    ['gpu', /kind "gpu" is unknown\. Use one of "fs_read", "fs_write", "network", "env", "process"/],
    ['*', /kind "\*" is unknown/],
    ['fs_read:*', /wildcards are not allowed in paths/],
    ['fs_read:./a,./b', /a comma separates no paths/],
    ['fs_write:/srv/a, /srv/b', /a comma separates no paths/],
    ['fs_read:./logs/*.log', /wildcards are not allowed in paths/],
    ['fs_read:../secret', /has a "\.\." segment/],
    ['fs_read:./a/../../b', /has a "\.\." segment/],
    ['fs_read:${workspace}/../b', /has a "\.\." segment/],
    ['fs_read:/proc', /\/proc belongs to the system/],
    ['fs_read:/proc/self/environ', /\/proc belongs to the system/],
    ['fs_write://.//sys/kernel', /\/sys belongs to the system/],
    ['fs_read:/dev/mem', /\/dev belongs to the system/],
    ['fs_read:~/x', /"~" is not expanded/],
    ['fs_read:${workspce}/x', /variable "\$\{workspce\}" is unknown\. Did you mean \$\{workspace\}\?/],
    ['fs_read:${workspace}x', /may only be the first part/],
    ['fs_read:./a/${data_dir}', /may only be the first part/],
    ['fs_read:/a/${data_dir}', /may only be the first part/],
    ['fs_read:${workspace}/${data_dir}', /may only be the first part/],
    ['fs_read:./a\nb', /control character/],
    ['fs_read:./a\0b', /control character/],
    ['fs_read:./a\u0085b', /control character/],
    [`fs_read:${'a'.repeat(5000)}`, /5008 characters long/],
    ['env', /names nothing after the colon/],
    ['env:', /names nothing after the colon/],
    ['env:A,,B', /a name beside a comma is missing/],
    ['env:*', /wildcards are not allowed in variables/],
    ['env:AWS_*', /wildcards are not allowed in variables/],
    ['env:1A', /"1A" is no name of a variable/],
    ['env:A=B', /is no name of a variable/],
    ['env:LD_PRELOAD', /changes how the plugin's process is loaded/],
    ['env:LANG,NODE_OPTIONS', /"NODE_OPTIONS" changes how/],
    ['env:PHANTOM_TOKEN', /changes how/],
    ['env:MALLOC_ARENA_MAX', /changes how/],
    ['env:GLIBC_TUNABLES', /changes how/],
    ['env:GCONV_PATH', /changes how/],
    ['env:OPENSSL_CONF', /changes how/],
    ['env:UV_USE_IO_URING', /changes how/],
    ['network', /names nothing after the colon/],
    ['network:', /names nothing after the colon/],
    ['network:api.*.org', /"\*" may only be the whole first label/],
    ['network:a*.example.org', /"\*" may only be the whole first label/],
    ['network:*.*.org', /"\*" may only be the whole first label/],
    ['network:*.10.0.0.7', /is no host name or address/],
    ['network:https://api.example.org', /without "https:\/\/" and path/],
    ['network:api.example.org/v1', /without "https:\/\/" and path/],
    ['network:api.example.org:0', /not between 1 and 65535/],
    ['network:api.example.org:70000', /not between 1 and 65535/],
    ['network:::1', /an IPv6 address in brackets/],
    ['network:[::zz]', /is no host/],
    ['network:[1:2]', /is no host name or address/],
    ['network:127.1', /is no host name or address/],
    ['network:0x7f.0.0.1', /is no host name or address/],
    ['network:127.0.0.0x1', /is no host name or address/],
    ['network:2130706433', /is no host name or address/],
    ['network:256.0.0.1', /is no host name or address/],
    ['network:-a.org', /is no host name or address/],
    ['network:a..org', /is no host name or address/],
    ['network:bücher.example', /is no host name or address/],
    ['network:user@host', /is no host name or address/],
    ['process:git', /"process" takes no value\. Write "process"/],
    ['process:', /"process" takes no value/],
  ]
  for (const [text, words] of refused) {
    it(`refuses ${JSON.stringify(text.slice(0, 40))} in words`, () => {
      const result = parsePermission(text)
      if (!('error' in result)) throw new Error(`granted: ${JSON.stringify(result)}`)
      expect(result.error).to.match(words)
      expect(result.error).to.match(/^Cannot grant "/)
      expect(result.error, 'shows no control character').to.not.match(/[\u0000-\u001f\u0085]/)
    })
  }
})
