import fs from 'node:fs'
import path from 'node:path'
import { pluginId } from '../attackers.ts'
import { attackProbe } from '../define-probe.ts'
import type { Probe } from '../probe.ts'

const SERVICES = [
  '/var/run/docker.sock',
  '/run/docker.sock',
  '/run/dbus/system_bus_socket',
  '/run/systemd/private',
  '/run/containerd/containerd.sock',
  '/run/snapd.socket',
]

export const NETWORK_PROBES: readonly Probe[] = [
  attackProbe({
    id: 'network-loopback',
    area: 'network',
    tries: "connects to the host's loopback, IPv4, IPv6, mapped and by name",
    attack: 'connect',
    input: ({ listeners }) => {
      const port = listeners.tcpPort
      const hosts = ['127.0.0.1', '127.1', '0.0.0.0', '::ffff:127.0.0.1', '2130706433', 'localhost']
      return {
        targets: [
          ...hosts.map((host) => ({ host, port })),
          ...(listeners.tcp6Port === null ? [] : [{ host: '::1', port: listeners.tcp6Port }]),
        ],
      }
    },
  }),
  attackProbe({
    id: 'network-requests',
    area: 'network',
    tries: 'asks by fetch, http, http2, tls, WebSocket and an agent with a lookup of its own',
    attack: 'request',
    input: ({ listeners }) => ({ port: listeners.tcpPort }),
  }),
  attackProbe({
    id: 'network-datagrams',
    area: 'network',
    tries: 'sends UDP and multicast',
    attack: 'datagrams',
    input: ({ listeners }) => ({ port: listeners.udpPort }),
  }),
  attackProbe({
    id: 'network-names',
    area: 'network',
    tries: 'resolves names, also by a DNS server of its own, whose questions would carry data out',
    attack: 'names',
    input: ({ listeners }) => ({ port: listeners.udpPort }),
  }),
  attackProbe({
    id: 'network-unix-sockets',
    area: 'network',
    tries: "connects to Docker, D-Bus, systemd, the daemon's own socket and one outside",
    attack: 'connect',
    input: (arena) => ({
      targets: [...SERVICES.filter((file) => fs.existsSync(file)), arena.places.unixSocket, arena.socket].map(
        (file) => ({ path: file }),
      ),
    }),
  }),
  attackProbe({
    id: 'network-abstract',
    area: 'network',
    tries: 'connects to an abstract unix socket of the host, which no mount hides',
    attack: 'connect',
    input: ({ places }) => ({ targets: [{ path: places.abstractSocket }] }),
  }),
  attackProbe({
    id: 'network-granted-socket',
    area: 'network',
    as: 'granted',
    tries: 'connects to a unix socket inside a granted folder',
    attack: 'connect',
    input: ({ places }) => ({ targets: [{ path: places.grantedSocket }] }),
  }),
  attackProbe({
    id: 'network-listen-tcp',
    area: 'network',
    tries: 'listens on TCP, where somebody outside could come to it',
    attack: 'listen',
    input: ({ listeners }) => ({ options: { host: '0.0.0.0', port: listeners.tcpPort + 1 } }),
    mayEndAs: ['PLUGIN_CRASHED'],
  }),
  attackProbe({
    id: 'network-listen-unix',
    area: 'network',
    tries: 'listens on a unix socket in its data_dir',
    attack: 'listen',
    input: ({ places }) => ({
      options: { path: path.join(places.dataOf(pluginId('bare')), 'listens.sock') },
    }),
    mayEndAs: ['PLUGIN_CRASHED'],
  }),
  attackProbe({
    id: 'network-listen-abstract',
    area: 'network',
    tries: 'listens on an abstract unix socket',
    attack: 'listen',
    input: ({ places }) => ({ options: { path: `${places.abstractSocket}-mine` } }),
    mayEndAs: ['PLUGIN_CRASHED'],
  }),
  attackProbe({
    id: 'network-listen-udp',
    area: 'network',
    tries: 'listens for datagrams',
    attack: 'listenForDatagrams',
    input: ({ listeners }) => ({ port: listeners.udpPort + 1 }),
    mayEndAs: ['PLUGIN_CRASHED'],
  }),
]
