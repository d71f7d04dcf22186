// npm run release: everything that a release is made of.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildRelease } from './build.ts'

const USAGE = `Usage: npm run release [-- DIRECTORY]

Builds a release into DIRECTORY, which is dist/release/ unless told: a CloudFormation template with parameters for those who have
no CDK, the functions' code that it names, the compiled constructs as a package of npm, the machines' packages, a bill of
materials (CycloneDX), and their SHA-256. The same sources give the same bytes. docs/template.md says how the template is
deployed, docs/configuration.md how the constructs are installed.

  -h, --help  this text`

await main(process.argv.slice(2))

async function main(words: readonly string[]): Promise<void> {
  if (words.includes('--help') || words.includes('-h')) {
    console.log(USAGE)
    return
  }
  const [directory = fileURLToPath(new URL('../../dist/release', import.meta.url)), ...others] = words
  if (others.length > 0 || directory.startsWith('-')) {
    console.error(`wanted one DIRECTORY, came ${words.join(' ')}\n${USAGE}`)
    process.exitCode = 1
    return
  }
  const files = await buildRelease()
  mkdirSync(directory, { recursive: true })
  for (const { name, data } of files) writeFileSync(join(directory, name), data)
  console.log(files.map(({ name }) => relative('', join(directory, name))).join('\n'))
}
