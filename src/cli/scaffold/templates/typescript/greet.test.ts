import assert from 'node:assert/strict'
import { test } from 'node:test'
import { greet } from './greet.ts'

test('greets by name', () => {
  assert.deepEqual(greet('Ada'), { message: 'Hello, Ada!' })
})
