import { describe, expect, it } from 'vitest'
import { exampleRing, exampleSet } from './example.ts'
import { type Resources, synthesiseTemplate } from './synthesis.ts'

interface Widget {
  readonly type: string
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
  readonly properties: {
    readonly title?: string
    readonly markdown?: string
    readonly query?: string
    readonly alarms?: readonly string[]
    readonly metrics?: readonly (readonly unknown[])[]
    readonly annotations?: { readonly horizontal: readonly { readonly value: number }[] }
  }
}

/** The dashboard's body, with a name in place of each reference. */
function widgetsOf(resources: Resources): readonly Widget[] {
  const [, parts] = resources.one('AWS::CloudWatch::Dashboard').Properties.DashboardBody['Fn::Join']
  const text = parts.map((part: unknown) =>
    typeof part === 'string' ? part : Object.values(part as object)[0],
  )
  return JSON.parse(text.join('')).widgets
}

const { resources } = synthesiseTemplate({ rings: [exampleRing()], stapling: [exampleSet({ name: 'web' })] })
const widgets = widgetsOf(resources)
const titles = widgets.map(({ properties: { title, markdown } }) => title ?? markdown?.split('\n')[0])

/** Namespace, name and dimensions of what a widget draws, without what it computes. */
const drawn = ({ properties: { metrics = [] } }: Widget) =>
  metrics.filter(([first]) => typeof first === 'string').map(([, name, , value]) => `${name} of ${value}`)

describe('the dashboard', () => {
  it('shows rings, then sets, each in the order in which an operator asks', () => {
    expect(titles).toEqual([
      '## Ring edge',
      'now',
      'machines: confirmed of all',
      'age of the key that encrypts: each fall is a new generation',
      'held, forced, bypassed, local, drifted',
      'machines that are behind, by code',
      'seconds from a generation to its proof, the slowest of each hour',
      'last twenty decisions',
      '## Staples web',
      'life left of the response nearest its end, in percent',
      'certificates that fail, by reason',
      'undelivered, revoked, withdrawn, missing, held',
      'last twenty decisions',
    ])
  })

  it('draws what the functions measure, and the limit of the age beside it', () => {
    const byTitle = new Map(widgets.map((widget) => [widget.properties.title, widget]))
    const of = (title: string) => byTitle.get(title) as Widget
    const age = of('age of the key that encrypts: each fall is a new generation')
    expect(drawn(age)).toEqual(['KeyAge of edge'])
    expect(age.properties.annotations?.horizontal).toMatchObject([{ value: 43_200 }])
    expect(drawn(of('held, forced, bypassed, local, drifted'))).toEqual([
      'RotationHeld of edge',
      'RotationForced of edge',
      'CanaryFailed of edge',
      'AuthBypass of edge',
      'LocalRing of edge',
      'DriftRepaired of edge',
      'ControlInvalid of edge',
    ])
    expect(drawn(of('life left of the response nearest its end, in percent'))).toEqual([
      'StapleLifeLeft of web',
    ])
    expect(JSON.stringify(of('certificates that fail, by reason'))).toContain('Set=\\"web\\"')
    expect(JSON.stringify(of('machines that are behind, by code'))).toContain(
      '{Ticketring,Ring,Code} Ring=\\"edge\\" MetricName=\\"RingFailures\\"',
    )
  })

  it('asks the log of the function that acts, for its decisions', () => {
    const queries = widgets.flatMap(({ properties: { query } }) => query ?? [])
    const [ring, set] = ['ticketring-edge-rotation', 'ticketring-web-staples'].map(
      (name) => resources.lambda(name).Properties.LoggingConfig.LogGroup.Ref,
    )
    expect(queries.map((query) => query.split(' | ')[0])).toEqual(
      [ring, ring, set].map((group) => `SOURCE '${group}'`),
    )
    const [proofs, ...decisions] = queries
    expect(proofs).toContain("filter kind = 'converged'\n| stats max(seconds) as slowest by bin(1h)")
    for (const query of decisions) expect(query).toContain("filter kind = 'decided'")
  })

  it('has no two widgets in one place, and none beyond the edge', () => {
    const cells = widgets.flatMap(({ x, y, width, height }) =>
      Array.from({ length: width * height }, (_, at) => `${x + (at % width)}/${y + Math.floor(at / width)}`),
    )
    expect(new Set(cells).size).toBe(cells.length)
    for (const { x, width } of widgets) expect(x + width).toBeLessThanOrEqual(24)
  })

  it('shows whether other principals read or changed a ring, where that is watched alone', () => {
    const watching = synthesiseTemplate({ rings: [exampleRing({ accessWatch: {} })] })
    const [alarms, ...counts] = widgetsOf(watching.resources).slice(7, 10)
    const there = [watching.resources, watching.watched].flatMap((from) =>
      from.all('AWS::CloudWatch::Alarm').map(({ Properties }) => Properties.AlarmName),
    )
    const shown = (alarms?.properties.alarms ?? []).map((arn) => arn.split(':alarm:')[1])
    expect(shown).toEqual(
      ['read-by-others', 'changed-by-others', 'watch-deaf'].map((each) => `ticketring-edge-${each}`),
    )
    expect(there).toEqual(expect.arrayContaining(shown))
    expect(counts.flatMap(drawn)).toEqual(
      ['read-by-others', 'changed-by-others', 'heard'].map(
        (each) => `TriggeredRules of ticketring-edge-${each}`,
      ),
    )
    expect(JSON.stringify(widgets)).not.toContain('TriggeredRules')
    expect(widgets.map(({ type }) => type)).not.toContain('alarm')
  })

  it('is there where an app has staples alone, or rings alone', () => {
    for (const configuration of [{ rings: [exampleRing()] }, { stapling: [exampleSet()] }])
      expect(widgetsOf(synthesiseTemplate(configuration).resources).length).toBeGreaterThan(4)
  })
})
