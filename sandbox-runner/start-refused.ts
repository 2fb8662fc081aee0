/** A start that failed in words of its own: where it was thrown says nothing to the plugin's author. */
export class StartRefused extends Error {
  override readonly name = 'StartRefused'
}
