import { fieldName } from '../../../src/contract/manifest/key-locator.ts'

/** `servers[0].host`, as messages name a place; steps that are numbers count entries of lists. */
export function configField(path: readonly string[]): string {
  return fieldName(path.map((step) => (/^\d{1,9}$/.test(step) ? Number(step) : step)))
}
