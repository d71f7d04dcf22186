import { expect, it } from 'vitest'
import { withLoudLines } from '../../cli/loud-lines.ts'
import { PLAIN } from '../../local/paint.ts'

const TEXT = `edge: REVOKED: generation 3
  STILL ACCEPTS OLD TICKETS: i-1
    aws elbv2 deregister-targets --targets Id=i-1
auth-bypass: a ticket of a opens b
  paused by ada: it STILL ACCEPTS OLD TICKETS: no`

it('what must not be overlooked is painted, whole lines and no others', () => {
  const painted: string[] = []
  const text = withLoudLines(TEXT, (tone, line) => {
    painted.push(`${tone}: ${line.trim()}`)
    return line
  })
  expect(painted).toEqual(['bad: STILL ACCEPTS OLD TICKETS: i-1', 'bad: auth-bypass: a ticket of a opens b'])
  expect(text).toBe(TEXT)
})

it('nothing is changed where there are no colours', () => {
  expect(withLoudLines(TEXT, PLAIN)).toBe(TEXT)
})
