/** Lets what concerns one plugin happen one after the other. */
export class PluginTurns {
  readonly #last = new Map<string, Promise<unknown>>()

  /** Settles as the work does, which begins when all work before it has settled. */
  async take<T>(pluginId: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(pluginId) ?? Promise.resolve()
    const result = before.then(work)
    const settled = result.catch(() => undefined)
    this.#last.set(pluginId, settled)
    void settled.then(() => {
      if (this.#last.get(pluginId) === settled) this.#last.delete(pluginId)
    })
    return await result
  }

  /** Settles when all that was begun for it by now is over. */
  async settled(pluginId: string): Promise<void> {
    await this.#last.get(pluginId)
  }

  /** Settles when all that was begun for any plugin by now is over. */
  async allSettled(): Promise<void> {
    await Promise.all(this.#last.values())
  }
}
