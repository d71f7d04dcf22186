import { PutSecretValueCommand } from '@aws-sdk/client-secrets-manager'
import { PutParameterCommand } from '@aws-sdk/client-ssm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { AwsChains } from '../../lambda/aws/staple-chains.ts'
import { ParameterStaples } from '../../lambda/aws/staple-store.ts'
import type { StapleStore } from '../../lambda/staples/ports.ts'
import type { LoopbackAws } from '../../local/aws/loopback.ts'
import { MemoryStaples } from '../fakes/staple-store.ts'
import { clients, removeFolders, startAccount } from '../local/aws/fixture.ts'

let aws: LoopbackAws
beforeAll(async () => {
  aws = await startAccount()
})
afterAll(async () => {
  await aws.close()
  removeFolders()
})

const id = (n: number) => n.toString(16).padStart(32, '0')

describe.each<[string, () => StapleStore]>([
  ['in memory', () => new MemoryStaples()],
  [
    'the real adapter over the wire',
    () => new ParameterStaples(clients(aws).ssm, '/ticketring/staples/edge'),
  ],
])('a store of staples: %s', (_, make) => {
  let store: StapleStore
  beforeAll(() => {
    store = make()
  })

  it('begins with nothing', async () => {
    expect(await store.read([id(1), id(2)])).toEqual(new Map())
    expect(await store.earlier(id(1), 1)).toBeUndefined()
  })

  it('creates once, and tells who comes second', async () => {
    expect(await store.write(id(1), 'one', 0)).toBe(1)
    await expect(store.write(id(1), 'two', 0)).rejects.toMatchObject({ code: 'staple-contended' })
    expect(await store.read([id(1)])).toEqual(new Map([[id(1), { text: 'one', version: 1 }]]))
  })

  it('takes no text that refers to another parameter', async () => {
    await expect(store.write(id(3), '{"said":"{{ssm:/x}}"}', 0)).rejects.toMatchObject({
      code: 'aws-refused',
      came: expect.stringMatching(/^ValidationException: /),
    })
    expect(await store.read([id(3)])).toEqual(new Map())
  })

  it('numbers each write, so that a writer sees another one in between', async () => {
    expect(await store.write(id(1), 'theirs', 1)).toBe(2)
    expect(await store.write(id(1), 'ours', 1)).toBe(3)
    expect(await store.earlier(id(1), 2)).toBe('theirs')
    expect(await store.earlier(id(1), 9)).toBeUndefined()
    expect(await store.read([id(1)])).toEqual(new Map([[id(1), { text: 'ours', version: 3 }]]))
  })

  it('reads more than one call takes, and leaves out what is not there', async () => {
    for (let n = 10; n < 35; n++) await store.write(id(n), `text ${n}`, 0)
    const found = await store.read(Array.from({ length: 40 }, (_, n) => id(n + 10)))
    expect(found.size).toBe(25)
    expect(found.get(id(34))).toMatchObject({ text: 'text 34' })
  })

  it('holds what only an advanced parameter can, and a short one after it', async () => {
    await store.write(id(50), 'x'.repeat(8000), 0)
    expect(await store.write(id(50), 'short', 1)).toBe(2)
    expect((await store.read([id(50)])).get(id(50))).toMatchObject({ text: 'short' })
  })
})

describe('a store of many staples', () => {
  it('writes a few at a time, as Parameter Store takes no more', async () => {
    const { ssm } = clients(aws)
    let [busy, busiest] = [0, 0]
    ssm.middlewareStack.add(
      (next) => async (input) => {
        busiest = Math.max(busiest, ++busy)
        return next(input).finally(() => {
          busy -= 1
        })
      },
      { step: 'initialize' },
    )
    const store = new ParameterStaples(ssm, '/ticketring/staples/many')
    await Promise.all(Array.from({ length: 20 }, (_, n) => store.write(id(n), 'text', 0)))
    expect(busiest).toBe(3)
  })
})

describe('chains', () => {
  it('come from parameters and secrets, each on its own', async () => {
    const { ssm, secrets } = clients(aws)
    for (let n = 0; n < 12; n++) {
      const parameter = { Name: `/tls/${n}`, Value: `chain ${n}`, Type: 'String' } as const
      await ssm.send(new PutParameterCommand(parameter))
    }
    const secret = aws.resources.secrets[0]?.arn ?? ''
    await secrets.send(
      new PutSecretValueCommand({
        SecretId: secret,
        SecretString: '{"key":"PRIVATE","chain":"chain of the secret"}',
      }),
    )
    const read = await new AwsChains(ssm, secrets).read([
      ...Array.from({ length: 12 }, (_, n) => ({ parameter: `/tls/${n}` })),
      { parameter: '/tls/none' },
      { secret, field: 'chain' },
      { secret, field: 'absent' },
    ])
    expect(read.slice(0, 12)).toEqual(Array.from({ length: 12 }, (_, n) => `chain ${n}`))
    expect(read[12]).toMatchObject({ code: 'chain-missing' })
    expect(read[13]).toBe('chain of the secret')
    expect(read[14]).toMatchObject({ code: 'chain-missing' })
    expect(JSON.stringify([read[14], String(read[14])])).not.toContain('PRIVATE')
  })

  it('of a secret that is not there is missing; nothing else is', async () => {
    const { ssm, secrets } = clients(aws)
    const secret = 'arn:aws:secretsmanager:eu-central-1:111122223333:secret:none-AbCdEf'
    const [read] = await new AwsChains(ssm, secrets).read([{ secret }])
    expect(['chain-missing', 'access-denied']).toContain((read as { code: string }).code)
  })
})

describe('one name in a call of ten', () => {
  /** A client that AWS refuses whole calls of which one name is this. */
  function refusing(odd: string, error: Error) {
    const { ssm, secrets } = clients(aws)
    const calls: number[] = []
    ssm.middlewareStack.add(
      (next) => async (args) => {
        const { Names = [] } = args.input as { Names?: string[] }
        calls.push(Names.length)
        if (Names.some((name) => name.endsWith(odd))) throw error
        return next(args)
      },
      { step: 'initialize' },
    )
    return { ssm, secrets, calls }
  }
  const denied = Object.assign(new Error('is not authorized'), {
    name: 'AccessDeniedException',
    $fault: 'client',
  })
  const garbled = new SyntaxError('Unexpected token < in JSON at position 0')
  const throttled = Object.assign(new Error('Rate exceeded'), {
    name: 'ThrottlingException',
    $fault: 'client',
  })

  it.each([
    ['that may not be read', denied, 'access-denied'],
    ['whose answer cannot be read', garbled, 'store-unreadable'],
  ])('%s leaves the other nine to be read', async (_, error, code) => {
    const { ssm, secrets } = refusing('/3', error)
    const sources = Array.from({ length: 10 }, (_, n) => ({ parameter: `/tls/${n}` }))
    const read = await new AwsChains(ssm, secrets).read(sources)
    expect(read.filter((each) => typeof each === 'string')).toHaveLength(9)
    expect(read[3]).toMatchObject({ code })
    const store = new ParameterStaples(clients(aws).ssm, `/ticketring/staples/${code}`)
    for (let n = 0; n < 10; n++) await store.write(id(n), `text ${n}`, 0)
    const found = await new ParameterStaples(refusing(id(3), error).ssm, `/ticketring/staples/${code}`).read(
      Array.from({ length: 10 }, (_, n) => id(n)),
    )
    expect(found.get(id(4))).toMatchObject({ text: 'text 4' })
    expect(found.get(id(3))).toMatchObject({ code })
  })

  it('is not looked for where all are throttled: that would be ten calls for one', async () => {
    const { ssm, secrets, calls } = refusing('/3', throttled)
    const sources = Array.from({ length: 10 }, (_, n) => ({ parameter: `/tls/${n}` }))
    const read = await new AwsChains(ssm, secrets).read(sources)
    expect(read).toEqual(Array(10).fill(expect.objectContaining({ code: 'throttled' })))
    expect(calls).toEqual([10])
  })
})
