/** How a message is called where calls are named: no operation has this name, see the manifest's rule for them. */
export function messageOperation(type: string): string {
  return `message:${type}`
}
