import { attackProbe } from '../define-probe.ts'
import type { Probe } from '../probe.ts'

/** A module that exports `memory` and a `_initialize` that does nothing: what is tried is its folder. */
const REACTOR = 'AGFzbQEAAAABBAFgAAADAgEABQMBAAEHGAIGbWVtb3J5AgALX2luaXRpYWxpemUAAAoEAQIACw=='

export const RUNTIME_PROBES: readonly Probe[] = [
  attackProbe({
    id: 'runtime-native-code',
    area: 'runtime',
    tries: 'loads native code: dlopen, an addon, node:ffi, process.binding and internal modules',
    attack: 'nativeCode',
  }),
  attackProbe({
    id: 'runtime-databases',
    area: 'runtime',
    tries: 'opens, attaches and vacuums SQLite databases outside, loads an extension, uses localStorage',
    attack: 'databases',
    input: ({ places }) => ({ outside: places.outside, secret: places.secretFile }),
  }),
  attackProbe({
    id: 'runtime-inspector',
    area: 'runtime',
    tries: 'opens a debugger by the inspector, a session, NODE_OPTIONS or a signal',
    attack: 'inspector',
    mayEndAs: ['PLUGIN_CRASHED'],
  }),
  attackProbe({
    id: 'runtime-wasi',
    area: 'runtime',
    tries: 'runs WASI over a folder outside, its data_dir and a link to outside',
    attack: 'wasi',
    input: ({ places }) => ({ outside: places.outside, module: REACTOR }),
  }),
  attackProbe({
    id: 'runtime-code-from-text',
    area: 'runtime',
    tries: 'makes code from text: eval, function constructors, node:vm, data: imports, ShadowRealm',
    attack: 'codeFromText',
  }),
  attackProbe({
    id: 'runtime-permission-model',
    area: 'runtime',
    tries: "turns Node's permission model off from inside: its API, V8 flags, patched built-ins, pollution",
    attack: 'permissionModel',
    spoils: true,
    input: ({ places }) => ({ secret: places.secretFile }),
    mayEndAs: ['PLUGIN_CRASHED'],
  }),
]
