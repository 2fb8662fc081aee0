/** What `phantom new` can write: the folders of templates/ that it is made of, and what its author does next. */

export interface Kind {
  readonly description: string
  /** Folders of templates/; a later one goes before an earlier one. */
  readonly templates: readonly string[]
  /** Files of the package that the plugin needs a copy of. */
  readonly copied: readonly { readonly from: string; readonly names: RegExp; readonly to: string }[]
  /** Programs that have to be installed, and how; null where Node is enough. */
  readonly needs: string | null
  readonly build: readonly string[]
  readonly test: string
}

export const PLUGIN_KINDS = {
  javascript: {
    description: 'JavaScript, nothing to build',
    templates: ['javascript'],
    copied: [],
    needs: null,
    build: [],
    test: 'npm test',
  },
  typescript: {
    description: 'TypeScript, nothing to build',
    templates: ['typescript'],
    copied: [],
    needs: null,
    build: [],
    test: 'npm test',
  },
  python: {
    description: 'Python as a native program',
    templates: ['python'],
    copied: [],
    needs: 'python3 of the system; native plugins need bubblewrap, too',
    build: [],
    test: 'python3 -m unittest',
  },
} satisfies Record<string, Kind>

export type PluginKind = keyof typeof PLUGIN_KINDS
