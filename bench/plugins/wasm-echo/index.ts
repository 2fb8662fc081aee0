import {
  Answer,
  Bytes,
  bytesOperation,
  okBytes,
} from '../../../sandbox-runner/wasm/sdk/assemblyscript/phantom'

export * from '../../../sandbox-runner/wasm/sdk/assemblyscript/exports'

bytesOperation('echo', (input: Bytes): Answer => okBytes(input))
