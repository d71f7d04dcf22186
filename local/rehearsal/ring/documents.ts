/** Whether a document is another release's of this one: their names differ in what follows from their content. */
export function isReleaseOf(document: string, name: string): boolean {
  return headOf(document) === headOf(name)
}

function headOf(name: string): string {
  return name.replace(/-[0-9a-f]{12}$/, '')
}
