/** What is sent: a value for designs that speak JSON, its bytes for those that only move bytes. */
export interface Payload {
  readonly value: unknown
  readonly bytes: Buffer
}

const HALF_RECORD_BYTES = 25

/** An array of `{id, age, score, name}` records that is about `sizeBytes` of JSON; the same one at every call. */
export function recordsPayload(sizeBytes: number): Payload {
  const records: unknown[] = []
  let length = 2
  for (let id = 1; length < sizeBytes - HALF_RECORD_BYTES; id += 1) {
    const record = { id, age: 18 + (id % 60), score: ((id * 7919) % 1000) / 1000, name: `user-${id}` }
    records.push(record)
    length += JSON.stringify(record).length + 1
  }
  return payloadOf(records)
}

/** One string: cheap as JSON at the ends, so that only the bytes' way through the daemon is seen. */
export function textPayload(sizeBytes: number): Payload {
  return payloadOf('x'.repeat(sizeBytes))
}

/** Whether `answer`, of whatever design, is this payload. */
export function isEchoOf(payload: Payload, answer: unknown): boolean {
  if (typeof answer === 'number') return answer === payload.bytes.length
  return payload.bytes.equals(Buffer.from(JSON.stringify(answer)))
}

function payloadOf(value: unknown): Payload {
  return { value, bytes: Buffer.from(JSON.stringify(value)) }
}
