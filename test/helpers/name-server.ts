import dgram from 'node:dgram'

type Lists = Readonly<Record<string, readonly (readonly string[])[]>>

const HEAD_BYTES = 12
const A = 1
/** Answers are good for no time at all. */
const TTL_S = 0

/** A name server on the loopback that answers A questions: one list after the other, the last one for ever. */
export class NameServer {
  readonly #socket = dgram.createSocket('udp4')
  readonly #lists: Map<string, (readonly string[])[]>
  readonly asked: string[] = []

  constructor(lists: Lists) {
    this.#lists = new Map(Object.entries(lists).map(([name, answers]) => [name, [...answers]]))
    this.#socket.on('message', (question, { port, address }) =>
      this.#socket.send(this.#answer(question), port, address),
    )
  }

  /** @returns `address:port` */
  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#socket.bind(0, '127.0.0.1', resolve))
    return `127.0.0.1:${this.#socket.address().port}`
  }

  close(): void {
    this.#socket.close()
  }

  #answer(question: Buffer): Buffer {
    const { name, end } = readName(question)
    const isAddress = question.readUInt16BE(end) === A
    if (isAddress) this.asked.push(name)
    const lists = isAddress ? this.#lists.get(name.toLowerCase()) : undefined
    const list = (lists !== undefined && lists.length > 1 ? lists.shift() : lists?.[0]) ?? []
    const head = Buffer.from(question.subarray(0, HEAD_BYTES))
    head.writeUInt16BE(this.#lists.has(name.toLowerCase()) ? 0x8180 : 0x8183, 2)
    head.writeUInt16BE(list.length, 6)
    head.writeUInt32BE(0, 8)
    return Buffer.concat([head, question.subarray(HEAD_BYTES, end + 4), ...list.map(record)])
  }
}

function record(address: string): Buffer {
  const head = Buffer.from([0xc0, HEAD_BYTES, 0, A, 0, 1, 0, 0, 0, TTL_S, 0, 4])
  return Buffer.concat([head, Buffer.from(address.split('.').map(Number))])
}

function readName(question: Buffer): { name: string; end: number } {
  const labels: string[] = []
  let at = HEAD_BYTES
  for (let length = question[at]!; length > 0; length = question[at]!) {
    labels.push(question.toString('latin1', at + 1, at + 1 + length))
    at += 1 + length
  }
  return { name: labels.join('.'), end: at + 1 }
}
