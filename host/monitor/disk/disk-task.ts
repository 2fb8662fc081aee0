import type { FolderMeasure } from './measure-folder.ts'

export interface DiskTask {
  readonly id: number
  readonly folder: string
  readonly limitBytes: number
}

export interface DiskAnswer {
  readonly id: number
  readonly measure: FolderMeasure
}
