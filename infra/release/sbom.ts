import { readFileSync } from 'node:fs'
import { build } from 'esbuild'
import { BUNDLING } from '../fleet/bundle.ts'

interface Package {
  readonly name: string
  readonly version: string
  readonly license: string
}

/**
 * What the functions' bundles hold of other people's packages, as esbuild took it in: a bill of materials by CycloneDX 1.5,
 * without time and serial number, so that the same sources give the same bytes.
 * @param entries files in `lambda/handlers`
 */
export async function billOfMaterials(entries: readonly string[], version: string): Promise<string> {
  const { metafile } = await build({
    ...BUNDLING,
    entryPoints: entries.map((entry) => `lambda/handlers/${entry}`),
    outdir: '.',
    write: false,
    metafile: true,
  })
  const bill = {
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    version: 1,
    metadata: { component: { type: 'application', name: 'ticketring', version } },
    components: packagesOf(Object.keys(metafile.inputs)).map(component),
  }
  return `${JSON.stringify(bill, undefined, 2)}\n`
}

/** The packages whose files these are, in the order of their names. */
function packagesOf(files: readonly string[]): readonly Package[] {
  const folders = files.flatMap((file) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file) ?? [])
  return [...new Set(folders)].sort().map((folder) => {
    const read = JSON.parse(readFileSync(`${BUNDLING.absWorkingDir}/${folder}/package.json`, 'utf8'))
    return { name: String(read.name), version: String(read.version), license: String(read.license) }
  })
}

function component({ name, version, license }: Package) {
  const purl = `pkg:npm/${name.replace('@', '%40')}@${version}`
  return { type: 'library', 'bom-ref': purl, name, version, purl, licenses: [{ license: { id: license } }] }
}
