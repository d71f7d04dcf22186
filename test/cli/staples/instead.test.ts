import { describe, expect, it } from 'vitest'
import { DeployedStack } from '../../../cli/aws/stack.ts'
import { goingBackText, leavingText } from '../../../cli/staples/instead.ts'
import { parseStapleRequest, requireLooking } from '../../../lambda/staples/request.ts'
import { exampleSet } from '../../infra/app/example.ts'
import { synthesiseTemplate } from '../../infra/app/synthesis.ts'

const stack = new DeployedStack('Ticketring', {
  EdgeFunction: 'ticketring-edge-rotation',
  EdgeStatus: 'ticketring-edge-status',
  WebStaplesFunction: 'ticketring-web-staples',
  WebStaplesStatus: 'ticketring-web-staples-status',
})

/** What a text has an operator invoke. */
function invocations(text: string) {
  const found = text.matchAll(/--function-name (\S+) .* --payload '(\{.*\})' /g)
  return [...found].map(([, name = '', payload = '']) => ({
    name,
    request: parseStapleRequest(JSON.parse(payload)),
  }))
}

describe('a set of staples where a ring was meant', () => {
  it('is told from a ring, and from what is not there', () => {
    expect(() => stack.ring('web')).toThrow('web is a set of staples, not a ring')
    expect(() => stack.ring('wen')).toThrow('No ring wen in the stack Ticketring')
    expect(stack.ring('edge', leavingText).name).toBe('edge')
  })

  it('may have the name of a ring, which is then meant', () => {
    const both = new DeployedStack('s', {
      WebFunction: 'ticketring-web-rotation',
      WebStatus: 'ticketring-web-status',
      WebStaplesFunction: 'ticketring-web-staples',
      WebStaplesStatus: 'ticketring-web-staples-status',
    })
    expect(both.ring('web').rotation).toBe('ticketring-web-rotation')
  })

  it('leaves by its own functions, each of which takes what is typed', () => {
    const [withdraw, status] = invocations(leavingText('web'))
    expect(withdraw).toMatchObject({
      name: 'ticketring-web-staples',
      request: { action: 'withdraw', certificate: 'CERTIFICATE' },
    })
    expect(requireLooking(status?.request ?? ({} as never)).action).toBe('status')
    const { resources } = synthesiseTemplate({ stapling: [exampleSet({ name: 'web' })] })
    for (const each of [withdraw, status]) expect(resources.lambda(each?.name ?? '')).toBeDefined()
  })

  it('goes back by a deploy, and what it then delivers', () => {
    expect(invocations(goingBackText('web'))).toMatchObject([
      { name: 'ticketring-web-staples', request: { action: 'deliver' } },
    ])
  })
})
