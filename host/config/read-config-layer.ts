import { type ConfigLayer, layerProblems } from './config-layer.ts'
import { invalidFile, readYaml, type YamlFile } from './read-yaml.ts'

/** Reads one YAML file; null when it is not there. Throws `CONFIG_INVALID` with every place that is wrong. */
export function readConfigLayer(file: string): ConfigLayer | null {
  const yaml = readYaml(file)
  if (yaml === null) return null
  const problems = layerProblems(yaml.data).map(
    ({ path, isKey, message }) => `${yaml.placeOf(path, isKey)}: ${message}`,
  )
  if (problems.length > 0) throw invalidFile(file, problems)
  const data = yaml.data as Record<string, Record<string, unknown> | null> | null
  return { ...collect(yaml, data), warnings: yaml.warnings }
}

/** After the check the data has two levels of known keys, and nothing else. */
function collect(
  yaml: YamlFile,
  data: Record<string, Record<string, unknown> | null> | null,
): Pick<ConfigLayer, 'sections' | 'origins'> {
  const sections: Record<string, Record<string, unknown>> = {}
  const origins = new Map<string, string>()
  for (const [section, values] of Object.entries(data ?? {})) {
    sections[section] = values ?? {}
    for (const key of Object.keys(values ?? {})) {
      origins.set(`${section}.${key}`, yaml.placeOf([section, key], false))
    }
  }
  return { sections, origins }
}
