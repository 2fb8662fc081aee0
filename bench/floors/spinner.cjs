// Takes all the processor time that it gets; ends by itself should its starter have died.
const LOOK_MS = 50
const starter = process.ppid

require('node:fs').writeSync(1, 's')
while (process.ppid === starter) {
  const until = performance.now() + LOOK_MS
  while (performance.now() < until);
}
