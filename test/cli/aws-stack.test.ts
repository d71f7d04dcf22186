import { describe, expect, it } from 'vitest'
import { DeployedStack } from '../../cli/aws/stack.ts'
import { readTargets, targetsText } from '../../infra/fleet/targets-text.ts'

const EDGE = { EdgeFunction: 'ticketring-edge-rotation', EdgeStatus: 'ticketring-edge-status' }
const WEB = {
  WebStaplesFunction: 'ticketring-web-staples',
  WebStaplesStatus: 'ticketring-web-staples-status',
}

describe('outputs of a stack', () => {
  it('name its rings and sets', () => {
    const { rings, sets } = new DeployedStack('s', { ...EDGE, ...WEB, Other: 'x' })
    expect([rings, sets]).toMatchObject([[{ name: 'edge' }], [{ name: 'web' }]])
  })

  it.each(['ticketring = edge', 'a=b = x=y,z', 'tag =  = ,'])(
    'tell a tag, whatever signs it has: %s',
    (text) => {
      const outputs = { ...EDGE, EdgePreflight: 'look', EdgeTargets: text }
      const [ring] = new DeployedStack('s', outputs).rings
      expect(ring?.preflight?.targets).toEqual(readTargets(text))
      expect(targetsText(readTargets(text) as { tag: string; values: readonly string[] })).toBe(text)
    },
  )

  it.each([
    ['a function of another stack under Status', { ...EDGE, EdgeStatus: 'prod-wipe' }],
    [
      'a name that no ring can have',
      {
        EdgeFunction: 'ticketring-\u001b[2J-rotation',
        EdgeStatus: 'ticketring-\u001b[2J-status',
      },
    ],
    ['a set whose Status is another function', { ...WEB, WebStaplesStatus: 'prod-wipe' }],
  ])('name none by %s', (_, outputs) => {
    const { rings, sets } = new DeployedStack('s', outputs)
    expect([rings, sets]).toEqual([[], []])
  })
})
