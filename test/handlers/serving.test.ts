import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { starting } from '../../lambda/handlers/failure.ts'
import { serving } from '../../lambda/handlers/serving.ts'
import { TicketringError } from '../../lambda/kernel/errors.ts'

const lines: string[] = []
beforeEach(() => {
  lines.length = 0
  vi.spyOn(process.stdout, 'write').mockImplementation((line) => lines.push(String(line)) > 0)
})
afterEach(() => vi.restoreAllMocks())

const context = {
  getRemainingTimeInMillis: () => 1000,
  awsRequestId: 'request-1',
  invokedFunctionArn: 'arn:x',
}
const log = () => lines.map((line) => JSON.parse(line))

/** What Lambda's Node.js runtime makes of what a handler throws: its `toRapidResponse`. */
async function answered(error: unknown) {
  const handler = serving({ ring: 'edge' }, () => Promise.reject(error))
  const thrown = await handler({ action: 'revoke' }, context).catch((each: Error) => each)
  const { name, message, stack } = thrown as Required<Error>
  return { errorType: name, errorMessage: message, trace: stack.split('\n') }
}

describe('an invocation that fails', () => {
  it('answers its code, a sentence with its remedy, and no stack', async () => {
    const error = new TicketringError('label-moved', { wanted: 'a', came: 'b', cause: new Error('AWS') })
    expect(await answered(error)).toEqual({
      errorType: 'label-moved',
      errorMessage: error.message,
      trace: [''],
    })
    expect(log()).toMatchObject([
      { kind: 'invoked', ring: 'edge', requestId: 'request-1', function: 'arn:x' },
      { level: 'error', kind: 'failed', ring: 'edge', requestId: 'request-1', code: 'label-moved' },
    ])
    expect(log()[1]).not.toHaveProperty('stack')
  })

  it.each([new RangeError('no end'), 'thrown', undefined])(
    'by a fault of ours, %o, has a code too, and its stack in the log alone',
    async (error) => {
      const { errorType, errorMessage, trace } = await answered(error)
      expect(errorType).toBe('internal-error')
      expect(errorMessage).toMatch(/^internal-error: .+\. Report it/)
      expect(trace).toEqual([''])
      if (error instanceof Error) expect(log()[1].stack).toContain('serving.test.ts')
    },
  )

  it('while it starts answers the same way', () => {
    const read = () => {
      throw new TicketringError('configuration-invalid', { wanted: 'a', came: 'b' })
    }
    expect(() => starting(read)).toThrow(
      expect.objectContaining({ name: 'configuration-invalid', stack: '' }),
    )
  })
})

it('an invocation that succeeds has an audit line and its answer', async () => {
  const handler = serving({ set: 'web' }, async (event) => event)
  expect(await handler({ action: 'refresh' }, context)).toEqual({ action: 'refresh' })
  expect(log()).toEqual([
    {
      level: 'info',
      kind: 'invoked',
      at: expect.any(String),
      set: 'web',
      requestId: 'request-1',
      function: 'arn:x',
      caller: 'EventBridge Scheduler, by the event of a tick',
    },
  ])
})
