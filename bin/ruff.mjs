// Lints and formats what runs on the machines. `--fix` writes the format. The rules: README of ruff, "Rules".
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PositionEncoding, Workspace } from '@astral-sh/ruff-wasm-nodejs'

const SETTINGS = {
  'line-length': 128,
  'target-version': 'py39',
  lint: { select: ['E', 'F', 'W', 'I', 'B', 'C4', 'PIE', 'RET', 'TC004'] },
  format: { 'quote-style': 'double' },
}
const FOLDER = 'agent'

const workspace = new Workspace(SETTINGS, PositionEncoding.Utf16)
const files = readdirSync(FOLDER, { recursive: true }).filter((file) => file.endsWith('.py'))
const problems = files.map((file) => join(FOLDER, file)).flatMap(problemsOf)
for (const problem of problems) console.error(problem)
process.exitCode = problems.length === 0 ? 0 : 1

function problemsOf(file) {
  const text = readFileSync(file, 'utf8')
  const found = workspace.check(text).map(({ code, message, start_location: { row, column } }) => {
    return `${file}:${row}:${column}: ${code ?? 'syntax'} ${message}`
  })
  const formatted = workspace.format(text)
  if (formatted === text) return found
  if (process.argv.includes('--fix')) writeFileSync(file, formatted)
  else found.push(`${file}: not as ruff formats it; npm run fix`)
  return found
}
