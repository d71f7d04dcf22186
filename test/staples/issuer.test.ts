import { beforeEach, describe, expect, it } from 'vitest'
import { findSubject, subjectOf } from '../../lambda/staples/issuer.ts'
import { observeStaples } from '../../lambda/staples/observation.ts'
import type { HttpAnswer, HttpQuestion } from '../../lambda/staples/ports.ts'
import { RunMemory } from '../../lambda/staples/run-memory.ts'
import { StapleWorld } from '../fakes/staple-world.ts'
import { pem } from '../ocsp/openssl.ts'

const URLS = ['http://one.example/ca.cer', 'http://two.example/ca.cer']

let world: StapleWorld
let questions: HttpQuestion[]
beforeEach(() => {
  world = new StapleWorld()
  questions = []
})

const issuer = () => world.authority.issuer.certificate
const found = (body: Uint8Array): HttpAnswer => ({ status: 200, body })
function answering(by: (url: string) => HttpAnswer): void {
  world.responders = {
    ask: async (question) => {
      questions.push(question)
      return by(question.url)
    },
  }
}
const states = async (allowed = 300_000) => {
  world.clock.allow(allowed)
  return (await observeStaples(world.ports())).kept
}
async function find(memory = new RunMemory()) {
  return await Promise.all((await states()).map((kept) => findSubject(world.ports(), kept, memory)))
}

describe('the URLs for an issuer', () => {
  it('are asked in turn until one gives it, and then no more', async () => {
    world.add('www', {}, { bare: true, caIssuers: URLS })
    answering(() => found(issuer().der))
    expect(await find()).toMatchObject([{ subject: expect.anything() }])
    expect(questions.map(({ url }) => url)).toEqual(URLS.slice(0, 1))
  })

  it('are asked directly, or through the proxy of each certificate, once for each of these', async () => {
    const caIssuers = URLS.slice(0, 1)
    world.add('a', {}, { bare: true, caIssuers })
    world.add('b', { proxy: 'http://p.example:1' }, { bare: true, caIssuers })
    world.add('c', { proxy: 'http://q.example:1' }, { bare: true, caIssuers })
    world.add('d', { proxy: 'http://q.example:1' }, { bare: true, caIssuers })
    answering(() => found(issuer().der))
    await find()
    expect(questions).toStrictEqual([
      { method: 'GET', url: URLS[0] },
      { method: 'GET', url: URLS[0], proxy: 'http://p.example:1' },
      { method: 'GET', url: URLS[0], proxy: 'http://q.example:1' },
    ])
  })

  it('are asked though little time is left, the first of them: an operator waits for an answer', async () => {
    world.add('www', {}, { bare: true, caIssuers: URLS })
    answering((url) => (url === URLS[0] ? found(issuer().der) : { status: 404, body: Buffer.of() }))
    const [kept] = await states(1000)
    if (kept === undefined) throw new RangeError('no certificate')
    const { issuer: known } = await subjectOf(world.ports(), kept, new RunMemory())
    expect(known.der).toEqual(issuer().der)
  })

  it('are not asked on where little time is left', async () => {
    world.add('www', {}, { bare: true, caIssuers: URLS })
    answering(() => ({ status: 404, body: Buffer.of() }))
    const [kept] = await states(1000)
    if (kept === undefined) throw new RangeError('no certificate')
    await expect(subjectOf(world.ports(), kept, new RunMemory())).rejects.toMatchObject({
      code: 'issuer-missing',
      wanted: 'the issuer of www',
    })
    expect(questions).toHaveLength(1)
  })
})

describe('what a URL for an issuer gives', () => {
  const garbled = Buffer.from('3003020105', 'hex')
  const findBy = async (body: () => Uint8Array) => {
    world.add('www', {}, { bare: true, caIssuers: URLS.slice(0, 1) })
    answering(() => found(body()))
    const [only] = await find()
    return only
  }

  it('may be PEM, and may hold what cannot be read beside it', async () => {
    const text = () => Buffer.from(pem(garbled) + pem(issuer().der))
    expect(await findBy(text)).toHaveProperty('subject')
  })

  it.each([
    ['is no certificate', () => garbled],
    ['is a page', () => Buffer.from('<html>')],
  ])('%s: it says so', async (_, body) => {
    expect(await findBy(body)).toMatchObject({
      failure: {
        code: 'issuer-missing',
        detail: expect.stringContaining('got http://one.example/ca.cer: wanted'),
      },
    })
  })

  it('is another certificate: none there issued it', async () => {
    const stranger = new StapleWorld().authority.issuer.certificate.der
    expect(await findBy(() => stranger)).toMatchObject({
      failure: { detail: expect.stringContaining('http://one.example/ca.cer: none there issued it') },
    })
  })
})
