/** Runs in a thread of the daemon: what a plugin put into its folder must not cost the daemon's loop. */
import { parentPort } from 'node:worker_threads'
import { messageOf } from '../../../src/contract/phantom-error.ts'
import type { DiskAnswer, DiskTask } from './disk-task.ts'
import { measureFolder, type FolderMeasure } from './measure-folder.ts'

parentPort?.on('message', ({ id, folder, limitBytes }: DiskTask) => {
  const answer: DiskAnswer = { id, measure: measure(folder, limitBytes) }
  parentPort?.postMessage(answer)
})

function measure(folder: string, limitBytes: number): FolderMeasure {
  try {
    return measureFolder(folder, limitBytes)
  } catch (error) {
    return { bytes: 0, files: 0, problem: messageOf(error) }
  }
}
