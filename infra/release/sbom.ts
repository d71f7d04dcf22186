import type { BundledPackage } from './functions.ts'

/**
 * What the bundles of functions and command line hold of other people's packages, as esbuild took it in: a bill of materials by CycloneDX 1.5,
 * without time and serial number, so that the same sources give the same bytes.
 */
export function billOfMaterials(packages: readonly BundledPackage[], version: string): string {
  const bill = {
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    version: 1,
    metadata: { component: { type: 'application', name: 'ticketring', version } },
    components: [...new Map(packages.map((each) => [each.name, each])).values()]
      .map(component)
      .toSorted(byReference),
  }
  return `${JSON.stringify(bill, undefined, 2)}\n`
}

function byReference(one: { readonly purl: string }, other: { readonly purl: string }): number {
  return one.purl < other.purl ? -1 : 1
}

function component({ name, version, license }: BundledPackage) {
  const purl = `pkg:npm/${name.replace('@', '%40')}@${version}`
  return { type: 'library', 'bom-ref': purl, name, version, purl, licenses: [{ license: { id: license } }] }
}
