import type { Design } from '../harness/design.ts'
import { writeLineBatched } from './json-lines.ts'
import { startJsonRelay } from './json-relay.ts'

/** The same as `json-relay`, as fast as it can be written: what one turn of the loop sends leaves in one write. */
export const design: Design = {
  name: 'json-relay-batched',
  start: () => startJsonRelay('json-echo-batched.main.ts', writeLineBatched),
}
