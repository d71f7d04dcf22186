// npm run package: the machine's program with its boot units, for images that are built ahead.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildPackages } from './build.ts'

const USAGE = `Usage: npm run package [-- DIRECTORY]

Builds a .deb, a .rpm and a tarball of the machine's program and its boot units, with their SHA-256, into DIRECTORY, which
is dist/ unless told. The same sources give the same bytes.

  -h, --help  this text`

main(process.argv.slice(2))

function main(words: readonly string[]): void {
  if (words.includes('--help') || words.includes('-h')) {
    console.log(USAGE)
    return
  }
  const [directory = fileURLToPath(new URL('../../dist', import.meta.url)), ...others] = words
  if (others.length > 0 || directory.startsWith('-')) {
    console.error(`wanted one DIRECTORY, came ${words.join(' ')}\n${USAGE}`)
    process.exitCode = 1
    return
  }
  const { hash, files } = buildPackages()
  mkdirSync(directory, { recursive: true })
  for (const { name, data } of files) writeFileSync(join(directory, name), data)
  const names = files.map(({ name }) => `  ${relative('', join(directory, name))}`)
  console.log([`The program ${hash} in`, ...names].join('\n'))
}
