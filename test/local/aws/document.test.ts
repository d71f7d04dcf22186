import { expect, test } from 'vitest'
import { bindParameters, parseDocument } from '../../../local/aws/document.ts'

const documentWith = (allowedPattern: string) => ({
  schemaVersion: '2.2',
  parameters: { Told: { type: 'String', default: 'all', allowedPattern } },
  mainSteps: [{ action: 'aws:runShellScript', name: 'apply', inputs: { runCommand: ['true'] } }],
})

test.each([['^(all|[0-9a-f]{64}(,[0-9a-f]{64}){0,24})$'], ['^(?!none)[a-z]+$'], [String.raw`^(a|b)\1$`]])(
  "a document whose pattern %s the agent's Go cannot compile is refused, though JavaScript takes it",
  (pattern) => {
    expect(() => new RegExp(pattern)).not.toThrow()
    expect(() => parseDocument('Document', 'staples', documentWith(pattern))).toThrow(
      'Go compiles no such pattern',
    )
  },
)

test.each([
  [String.raw`^\pN+$`, '٣', true],
  [String.raw`^\d+$`, '٣', false],
  [String.raw`\A[a-z]+\z`, 'all', true],
  [String.raw`\A[a-z]+\z`, 'all\n', false],
  ['^[a-z]+$', 'all\n', false],
  ['(?i)^ALL$', 'all', true],
])('the pattern %s is matched as Go does: %j, %s', (pattern, told, fits) => {
  const document = parseDocument('Document', 'staples', documentWith(pattern))
  const bind = () => bindParameters(document, { Told: [told] })
  if (fits) expect(bind()).toEqual({ Told: told })
  else expect(bind).toThrow('does not match its definition')
})
