import path from 'node:path'
import { attackProbe } from '../define-probe.ts'
import { NEIGHBOUR, pluginId } from '../attackers.ts'
import type { Probe } from '../probe.ts'

export const FILE_PROBES: readonly Probe[] = [
  attackProbe({
    id: 'files-absolute',
    area: 'files',
    tries: 'reads /etc/passwd, keys of users and files beside the workspace by their absolute paths',
    attack: 'read',
    input: ({ places }) => ({
      paths: [
        places.secretFile,
        path.join(places.workspace, 'private.txt'),
        '/etc/passwd',
        '/etc/shadow',
        '/etc/ssh/ssh_host_ed25519_key',
        path.join(process.env['HOME'] ?? '/root', '.ssh/id_ed25519'),
        path.join(process.env['HOME'] ?? '/root', '.npmrc'),
      ],
    }),
  }),
  attackProbe({
    id: 'files-spelling',
    area: 'files',
    tries:
      'reads a file outside by "..", Buffers, file: URLs with %2e%2e, /proc/self/root and two-faced objects',
    attack: 'spellings',
    input: ({ places }) => ({ secret: places.secretFile }),
  }),
  attackProbe({
    id: 'files-loaders',
    area: 'files',
    tries: 'reads files outside by import, require, loadEnvFile, engines and source maps',
    attack: 'loaders',
    input: ({ places }) => ({ outside: places.outside }),
  }),
  attackProbe({
    id: 'files-oracle',
    area: 'files',
    tries: 'learns what exists outside by realpath, stat, access, readdir, glob, watch and module resolution',
    attack: 'oracle',
    process: { open: 'Node tells by `realpath` and by resolving modules whether a path exists' },
    input: ({ places }) => ({
      outside: [places.secretFile, path.join(places.workspace, 'private.txt'), places.outside],
      missing: path.join(places.outside, 'missing.txt'),
    }),
  }),
  attackProbe({
    id: 'files-daemon',
    area: 'files',
    tries: "reads the daemon's state, log, configuration and another plugin's code and data",
    attack: 'read',
    input: ({ places }) => ({
      ways: ['readFileSync', 'blob', 'copyFile'],
      paths: [
        path.join(places.state, 'state.db'),
        path.join(places.state, 'logs/daemon.log'),
        path.join(places.state, `logs/plugins/${pluginId('bare')}.log`),
        path.join(places.configuration, 'default.yaml'),
        path.join(places.folderOf(NEIGHBOUR), 'index.js'),
        path.join(places.dataOf(NEIGHBOUR), 'kept.txt'),
      ],
    }),
  }),
  attackProbe({
    id: 'files-write-outside',
    area: 'files',
    tries: 'writes, truncates, renames, links, chmods and removes files outside',
    attack: 'write',
    input: ({ places }) => ({ paths: [places.secretFile, path.join(places.workspace, 'private.txt')] }),
  }),
  attackProbe({
    id: 'files-write-code',
    area: 'files',
    tries: "changes its own code and manifest, another plugin's, and the daemon's configuration",
    attack: 'write',
    input: ({ places }) => ({
      paths: [
        path.join(places.folderOf(pluginId('bare')), 'index.js'),
        path.join(places.folderOf(pluginId('bare')), 'plugin.toml'),
        path.join(places.folderOf(NEIGHBOUR), 'index.js'),
        path.join(places.dataOf(NEIGHBOUR), 'kept.txt'),
        path.join(places.configuration, 'default.yaml'),
        path.join(places.plugins, 'new-plugin.toml'),
      ],
    }),
  }),
  attackProbe({
    id: 'files-granted',
    area: 'files',
    as: 'granted',
    tries: 'uses what it was granted (which must work), and writes where it may only read',
    attack: 'granted',
  }),
  attackProbe({
    id: 'files-beside-grant',
    area: 'files',
    as: 'granted',
    tries: 'reads beside a granted folder, also by names that begin with it',
    attack: 'read',
    input: ({ places }) => ({
      control: path.join(places.workspace, 'given/ok.txt'),
      paths: [
        path.join(places.workspace, 'given/../private.txt'),
        path.join(places.workspace, 'given-not.txt'),
        path.join(places.workspace, 'private.txt'),
      ],
    }),
    prepare: (places) => places.write('workspace/given-not.txt', places.secret),
  }),
  attackProbe({
    id: 'files-dump-report',
    area: 'files',
    tries: 'writes a diagnostic report into a folder outside',
    attack: 'dump',
    input: ({ places }) => ({ outside: places.outside, only: ['report'] }),
    mayEndAs: ['PLUGIN_CRASHED', 'LIMIT_EXCEEDED'],
  }),
  attackProbe({
    id: 'files-dump-heap',
    area: 'files',
    tries: 'writes a heap snapshot into a folder outside',
    attack: 'dump',
    input: ({ places }) => ({ outside: places.outside, only: ['heap'] }),
    mayEndAs: ['PLUGIN_CRASHED', 'LIMIT_EXCEEDED'],
  }),
  attackProbe({
    id: 'files-dump-near',
    area: 'files',
    tries: 'has V8 write a heap snapshot at its limit',
    attack: 'dump',
    input: ({ places }) => ({ outside: places.outside, only: ['nearLimit'] }),
    mayEndAs: ['PLUGIN_CRASHED', 'LIMIT_EXCEEDED'],
  }),
  attackProbe({
    id: 'files-dump-flags',
    area: 'files',
    tries: 'has V8 log into a file outside by changing its flags',
    attack: 'dump',
    input: ({ places }) => ({ outside: places.outside, only: ['flags'] }),
    mayEndAs: ['PLUGIN_CRASHED', 'LIMIT_EXCEEDED'],
  }),
  attackProbe({
    id: 'files-dump-traces',
    area: 'files',
    tries: 'writes trace events',
    attack: 'dump',
    input: ({ places }) => ({ outside: places.outside, only: ['traces'] }),
    mayEndAs: ['PLUGIN_CRASHED', 'LIMIT_EXCEEDED'],
  }),
  attackProbe({
    id: 'files-dump-coverage',
    area: 'files',
    tries: 'writes coverage into a folder outside',
    attack: 'dump',
    input: ({ places }) => ({ outside: places.outside, only: ['coverage'] }),
    mayEndAs: ['PLUGIN_CRASHED', 'LIMIT_EXCEEDED'],
  }),
]
