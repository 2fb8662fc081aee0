import { listOrNone, type Compared } from './compared.ts'
import type { Reading } from './read-facts.ts'

const PIPE = /^(?:socket|pipe):\[\d+\]$/
/** stdin; stdout, stderr and the channel to the host are pipes, which Node makes of sockets. */
const CONTRACT: readonly RegExp[] = [/^\/dev\/null$/, PIPE, PIPE, PIPE]
/** What Node opens for its event loops. */
const OF_NODE = /^(?:anon_inode:\[(?:eventpoll|eventfd|io_uring)\]|\/dev\/null)$/

/**
 * A pipe that Node made for itself has both its ends in this process; one whose other end is elsewhere was inherited.
 * Sockets beyond the contract, files and folders are never Node's.
 */
export function compareDescriptors(descriptors: Reading<ReadonlyMap<number, string>>): Compared {
  const declared = '0 to 3 of the contract, and what Node opens for itself'
  const compared = { name: 'descriptors', declared, mechanism: 'descriptors', file: 'fd' } as const
  if (!('value' in descriptors)) return { ...compared, found: descriptors.unreadable }
  const links = descriptors.value
  const ends = new Map<string, number>()
  for (const link of links.values()) ends.set(link, (ends.get(link) ?? 0) + 1)
  const isNodes = (link: string): boolean =>
    OF_NODE.test(link) || (/^pipe:\[\d+\]$/.test(link) && ends.get(link) === 2)
  const strange = [...links].filter(([number, link]) => !(CONTRACT[number]?.test(link) ?? isNodes(link)))
  const missing = CONTRACT.flatMap((_, number) => (links.has(number) ? [] : [`${number} is closed`]))
  const problems = [
    ...strange.map(([number, link]) => `${number} is ${JSON.stringify(link.slice(0, 120))}`),
    ...missing,
  ]
  const holds = problems.length === 0
  return {
    ...compared,
    found: { effective: holds ? `${links.size} open, all of them so` : listOrNone(problems), holds },
  }
}
