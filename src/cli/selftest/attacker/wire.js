import fs from 'node:fs'

function say(text) {
  for (let left = Buffer.from(text); left.length > 0;) {
    try {
      left = left.subarray(fs.writeSync(3, left))
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error
    }
  }
}

const after = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** Writes on the channel beside the runner; each text ends this process if the host is right. */
export async function forge(tries, { text, repeat = 1, waitMs = 150 }) {
  say(text.repeat(repeat))
  await after(waitMs)
  await tries.at('to go on after that', () => null)
}

export function floodChannel(tries, { text }) {
  const block = text.repeat(200)
  for (;;) say(block)
}

/** A byte now and then: a line that never ends. */
export async function drip(tries) {
  for (;;) {
    say(' ')
    await after(20)
  }
}

export async function closeChannel(tries) {
  fs.closeSync(3)
  await after(100)
  await tries.at('to go on without a channel', () => null)
}

export function throwsHostError(tries, { code, message }) {
  throw Object.assign(new Error(message), {
    code,
    rpc: -33001,
    name: 'PhantomError',
    details: { missing: ['fs_read:/'] },
  })
}

export async function writeLog(tries, { text }) {
  console.log(text)
  console.error(text)
  fs.writeSync(2, `${text}\n`)
  await after(50)
  await tries.at('the log', () => null)
}
