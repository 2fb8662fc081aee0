/** What piscina gets for `node:worker_threads` in our bundle; see `.scripts/build-runner.mjs`. */
export * from 'node:worker_threads'
export { RemoteWorker as Worker } from './remote-worker.ts'
