import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

const FOLDERS = ['.', 'docs', 'docs/decisions', 'docs/examples', 'infra', 'local', 'local/rehearsal']

/** Each command of a file that invokes a function by the AWS CLI, its continued lines joined, with what stands before it. */
function invocationsIn(text: string): readonly { readonly command: string; readonly before: string }[] {
  const joined = text.replaceAll(/\\\n\s*/g, '')
  return [...joined.matchAll(/^.*aws lambda invoke.*$/gm)].map((match) => ({
    command: match[0],
    before: joined.slice(Math.max(0, match.index - 400), match.index),
  }))
}

const INVOCATIONS = FOLDERS.flatMap((folder) =>
  readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(md|ts|json|yaml)$/.test(entry.name))
    .flatMap(({ name }) => invocationsIn(readFileSync(join(folder, name), 'utf8'))),
)

describe('every documented `aws lambda invoke`', () => {
  it('is found', () => {
    expect(INVOCATIONS.length).toBeGreaterThanOrEqual(5)
  })

  it.each(INVOCATIONS)('waits for its answer, asks once, and says for which CLI it is: $command', (each) => {
    expect(each.command).toMatch(/^AWS_MAX_ATTEMPTS=1 aws lambda invoke /)
    expect(each.command).toContain(' --cli-read-timeout 0 ')
    if (each.command.includes('--cli-binary-format')) expect(each.before).toContain('AWS CLI v2')
  })
})
