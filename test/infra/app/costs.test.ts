import { describe, expect, it } from 'vitest'
import { tableOf } from '../../docs-tables.ts'
import { converged, TIMING } from '../../fakes/world.ts'
import { exampleRing } from './example.ts'
import { synthesiseTemplate } from './synthesis.ts'

const FLEETS = [10, 100, 10_000]
const ROWS = tableOf('README.md', [
  'what',
  ...FLEETS.map((machines) => `${machines.toLocaleString('en')} machines`),
])

/** US dollars: a GetSecretValue and the Decrypt that Secrets Manager makes for it. Source: the services' price lists. */
const READ = 0.05 / 10_000 + 0.03 / 10_000
/** Of each a month. */
const PRICES = { key: 1, secret: 0.4, alarm: 0.1, metric: 0.3 }
/** Hours of a month, as AWS reckons. */
const MONTH = 720

function row(head: RegExp): { readonly what: string; readonly dollars: readonly number[] } {
  const found = ROWS.find(([what = '']) => head.test(what))
  if (found === undefined) throw new Error(`the costs have no row ${head}`)
  const [what = '', ...cells] = found
  return { what, dollars: cells.map((cell) => Number(/^\$(\d+\.\d\d)$/.exec(cell)?.[1])) }
}

function inCents(dollars: number): number {
  return Math.round(dollars * 100) / 100
}

describe('what a ring costs, as the README says', () => {
  const { resources, watched } = synthesiseTemplate({ rings: [exampleRing()] })
  const countOf = (type: string) => resources.all(type).length + watched.all(type).length
  const fixed = (each: number) => FLEETS.map(() => inCents(each))

  it('is what the template has', () => {
    const alarms = countOf('AWS::CloudWatch::Alarm')
    expect(row(/^KMS key$/).dollars).toEqual(fixed(countOf('AWS::KMS::Key') * PRICES.key))
    expect(row(/^secret$/).dollars).toEqual(fixed(countOf('AWS::SecretsManager::Secret') * PRICES.secret))
    expect(row(/alarms$/)).toEqual({ what: `${alarms} alarms`, dollars: fixed(alarms * PRICES.alarm) })
  })

  it('is what the function measures while all is well', async () => {
    const world = await converged()
    world.clock.advance(TIMING.tick)
    await world.reconcile()
    const metrics = Object.keys(world.eventLog.of('measured').at(-1)?.metrics ?? {}).length
    expect(row(/metrics$/)).toEqual({ what: `${metrics} metrics`, dollars: fixed(metrics * PRICES.metric) })
  })

  it('grows with what machines read', () => {
    const read = (times: number) => FLEETS.map((machines) => inCents(machines * times * READ))
    expect(row(/^each machine looks every 30 minutes/).dollars).toEqual(read(2 * MONTH))
    expect(row(/^each machine fetches 180 generations/).dollars).toEqual(read(MONTH / 4))
  })

  it('has its sum, within what was promised', () => {
    const items = ROWS.filter(([what]) => what !== 'sum').map(
      ([what = '']) => row(new RegExp(`^${what}$`)).dollars,
    )
    const sums = FLEETS.map((_, at) =>
      inCents(items.reduce((sum, each) => sum + (each[at] ?? Number.NaN), 0)),
    )
    expect(row(/^sum$/).dollars).toEqual(sums)
    expect(sums[1]).toBeLessThanOrEqual(5)
    expect(sums[2]).toBeLessThanOrEqual(135)
  })
})
