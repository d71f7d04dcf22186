import { describe, expect, it } from 'vitest'
import { exampleRing } from './example.ts'
import { synthesiseTemplate } from './synthesis.ts'

/** So many rings, each for itself, or all of them read by one role. */
function rings(count: number, { shared }: { readonly shared: boolean }) {
  return Array.from({ length: count }, (_, index) => {
    const ring = JSON.parse(JSON.stringify(exampleRing()).replaceAll('edge', `edge${index}`))
    return shared ? { ...ring, sharedRole: 'terminators' } : { ...ring, fleetRoles: [`terminators${index}`] }
  })
}

function problemsOf(count: number, how: { readonly shared: boolean }): readonly string[] {
  try {
    synthesiseTemplate({ rings: rings(count, how) })
    return []
  } catch (error) {
    return String(error).split('\n  - ').slice(1)
  }
}

describe('what no deploy would get through is refused at synth', () => {
  it('more rings than a template has bytes for: fifteen fit, as docs/operations.md says', () => {
    expect(problemsOf(15, { shared: false })).toEqual([])
    const [problem] = problemsOf(19, { shared: false })
    expect(problem).toMatch(/^the template: wanted at most 1000000 bytes.*; got 1[0-2]\d{5}\b/)
  })

  it('more resources than a stack may have, beside the bytes', () => {
    expect(problemsOf(23, { shared: false })).toEqual([
      expect.stringContaining('the template: wanted at most 1000000 bytes'),
      expect.stringMatching(/^the stack: wanted at most 500 resources/),
    ])
  })

  it("more inline policies than a fleet's role holds", () => {
    const problem = problemsOf(16, { shared: true }).at(-1)
    expect(problem).toMatch(/^role terminators: wanted at most 10240 characters of inline policies/)
    expect(problemsOf(12, { shared: true })).toEqual([])
  })
})
