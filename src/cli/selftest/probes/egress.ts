import path from 'node:path'
import type { Arena } from '../arena.ts'
import { attackProbe } from '../define-probe.ts'
import type { Probe } from '../probe.ts'

function urlOf(host: string, port: number): string {
  return `http://${host}:${port}/`
}

function egressProbe(probe: {
  readonly id: string
  readonly tries: string
  readonly attack: string
  readonly input: (arena: Arena, granted: string) => Readonly<Record<string, unknown>>
}): Probe {
  return attackProbe({
    ...probe,
    id: `egress-${probe.id}`,
    area: 'egress',
    as: 'networker',
    input: (arena) => {
      const granted = urlOf('127.0.0.1', arena.listeners.grantedPort)
      // Without a network namespace nobody is granted the network, and there is no proxy to fool.
      return { granted, isGranted: arena.tier === 'namespace', ...probe.input(arena, granted) }
    },
  })
}

export const EGRESS_PROBES: readonly Probe[] = [
  egressProbe({
    id: 'other-host',
    tries: 'asks its proxy for hosts and ports that it was not granted',
    attack: 'requests',
    input: ({ listeners: { tcpPort, grantedPort } }) => ({
      urls: [
        urlOf('127.0.0.1', tcpPort),
        urlOf('evil.test', grantedPort),
        urlOf('127.0.0.2', grantedPort),
        'http://evil.test/',
        'http://169.254.169.254/',
      ],
    }),
  }),
  egressProbe({
    id: 'spelling',
    tries: 'spells an address in other ways: short, hexadecimal, decimal, mapped, with a dot, with a user',
    attack: 'requests',
    input: ({ listeners: { tcpPort } }) => ({
      urls: [
        '127.1',
        '0x7f.1',
        '2130706433',
        '0177.0.0.1',
        '[::ffff:127.0.0.1]',
        '[::1]',
        'localhost',
        'localhost.',
        '127.0.0.1.',
        'granted@127.0.0.1',
        '１２７.0.0.1',
        '127。0。0。1',
      ].map((host) => urlOf(host, tcpPort)),
    }),
  }),
  egressProbe({
    id: 'redirect',
    tries: 'follows a redirect from a granted host to one that is not',
    attack: 'requests',
    input: (_arena, granted) => ({ urls: [`${granted}away`, `${granted}away?to=name`] }),
  }),
  egressProbe({
    id: 'inside',
    tries: "asks for granted names that lead to the loopback, a private network and a cloud's metadata",
    attack: 'requests',
    input: ({ listeners: { tcpPort } }) => ({
      urls: [
        urlOf('loop.test', tcpPort),
        urlOf('loop6.test', tcpPort),
        urlOf('mapped.test', tcpPort),
        urlOf('nat64.test', tcpPort),
        'http://inside.test/',
        'http://meta.test/',
        'http://many.test/',
      ],
    }),
  }),
  egressProbe({
    id: 'suffix',
    tries: 'asks for names that only look like those below a granted one',
    attack: 'requests',
    input: ({ listeners: { tcpPort } }) => ({
      urls: [
        'evilwild.test',
        'wild.test',
        'a.wild.test.evil.test',
        'wild.test.',
        'a.wild.tes',
        'xwild.test',
      ].map((host) => urlOf(host, tcpPort)),
    }),
  }),
  egressProbe({
    id: 'smuggling',
    tries:
      'smuggles requests: two lengths, two hosts, absolute against Host, CONNECT to other ports, folded and bare lines',
    attack: 'smuggled',
    input: ({ listeners }, granted) => ({ texts: smuggledTexts(granted, listeners.tcpPort) }),
  }),
  egressProbe({
    id: 'direct',
    tries: 'goes past its proxy: by TCP, UDP, the loopback, unix and abstract sockets',
    attack: 'direct',
    input: ({ listeners, places, socket }) => ({
      udpPort: listeners.udpPort,
      targets: [
        { host: '127.0.0.1', port: listeners.tcpPort },
        { host: '::1', port: listeners.tcp6Port ?? 1 },
        { host: '192.0.2.1', port: 80 },
        { path: places.unixSocket },
        { path: places.abstractSocket },
        { path: socket },
      ],
    }),
  }),
  egressProbe({
    id: 'other-doors',
    tries: "looks for other plugins' proxies",
    attack: 'otherDoors',
    input: ({ places }) => ({
      folders: ['/.phantom-runner', path.join(places.state, 'egress'), places.state, '/run', '/tmp'],
    }),
  }),
  egressProbe({
    id: 'crowd',
    tries: 'opens 2,000 connections to its proxy that never say anything whole',
    attack: 'crowd',
    input: () => ({ most: 2000 }),
  }),
]

function smuggledTexts(granted: string, port: number): string[] {
  const { host } = new URL(granted)
  const evil = `127.0.0.1:${port}`
  const hidden = `GET http://${evil}/ HTTP/1.1\r\nHost: ${evil}\r\n\r\n`
  return [
    `GET http://${evil}/ HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
    `GET ${granted} HTTP/1.1\r\nHost: ${evil}\r\n\r\n`,
    `GET ${granted} HTTP/1.1\r\nHost: ${host}\r\nHost: ${evil}\r\n\r\n`,
    `GET / HTTP/1.1\r\nHost: ${evil}\r\n\r\n`,
    `POST ${granted} HTTP/1.1\r\nHost: ${host}\r\nContent-Length: ${hidden.length}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${hidden}`,
    `POST ${granted} HTTP/1.1\r\nHost: ${host}\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n${hidden}`,
    `POST ${granted} HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 0\r\nContent-Length: ${hidden.length}\r\n\r\n${hidden}`,
    `GET ${granted} HTTP/1.1\r\nHost: ${host}\r\nX: a\r\n b\r\n\r\n${hidden}`,
    `GET ${granted} HTTP/1.1\nHost: ${host}\n\n${hidden}`,
    `GET ${granted} HTTP/1.1\r\nHost: ${host}\r\n\r\n${hidden}`,
    `GET http://${host}@${evil}/ HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
    `GET ${granted}\u0000http://${evil}/ HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
    `GET ftp://${host}/ HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
    `CONNECT ${evil} HTTP/1.1\r\nHost: ${host}\r\n\r\nGET / HTTP/1.1\r\n\r\n`,
    `CONNECT ${host}@${evil} HTTP/1.1\r\nHost: ${evil}\r\n\r\nGET / HTTP/1.1\r\n\r\n`,
    'CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: 127.0.0.1:22\r\n\r\n',
    `CONNECT loop.test:${port} HTTP/1.1\r\nHost: loop.test:${port}\r\n\r\nGET / HTTP/1.1\r\n\r\n`,
    `GET ${granted} HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n${hidden}`,
    `GET ${granted} HTTP/1.1\r\nHost: ${host}\r\nX-Forwarded-Host: ${evil}\r\nProxy-Authorization: Basic eDp5\r\nForwarded: host=${evil}\r\n\r\n${hidden}`,
    `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${hidden}`,
    `GET ${granted} HTTP/0.9\r\n\r\n${hidden}`,
    `\u0005\u0001\u0000\u0005\u0001\u0000\u0001\u007f\u0000\u0000\u0001${String.fromCharCode(port >> 8, port & 255)}`,
  ]
}
