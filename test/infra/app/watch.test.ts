import { describe, expect, it } from 'vitest'
import { buildApp, createApp } from '../../../infra/app/build-app.ts'
import { parseConfiguration } from '../../../infra/app/configuration.ts'
import { STACK_NAME, WATCH_STACK_NAME } from '../../../infra/app/stack-names.ts'
import { logRingEvents } from '../../../lambda/handlers/event-log.ts'
import type { RotationConfiguration } from '../../../lambda/ring/configuration.ts'
import { EmbeddedMetrics } from '../../../local/aws/embedded-metrics.ts'
import { type AlarmState, type MetricAlarm, stateOf } from '../../../local/aws/metric-alarm.ts'
import { HOUR, TIMING, World } from '../../fakes/world.ts'
import { exampleRing, exampleSet } from './example.ts'
import { synthesiseTemplate } from './synthesis.ts'

const PAGE = 'arn:aws:sns:eu-west-1:123456789012:page'
const both = { rings: [exampleRing()], stapling: [exampleSet()], alarms: { page: PAGE } }
const { watch, watched, resources } = synthesiseTemplate(both)

function alarmNamed(name: string) {
  const found = watched
    .all('AWS::CloudWatch::Alarm')
    .map(({ Properties }) => Properties)
    .find(({ AlarmName }) => AlarmName === name)
  if (found === undefined) throw new Error(`wanted an alarm ${name} in the watch stack`)
  return found
}

describe('the watch stack', () => {
  it('holds the alarms that silence trips, and no others are there or twice', () => {
    const named = (from: typeof watched) =>
      from.all('AWS::CloudWatch::Alarm').map(({ Properties }) => Properties.AlarmName)
    expect(named(watched)).toEqual(['ticketring-edge-key-age', 'ticketring-edge-staples-life-left'])
    expect(named(resources)).not.toContain('ticketring-edge-key-age')
    expect(named(resources)).not.toContain('ticketring-edge-staples-life-left')
  })

  it('needs nothing of the stack that it watches, so that one can be deleted without the other', () => {
    expect(JSON.stringify(watch)).not.toMatch(/Fn::ImportValue|Fn::GetStackOutput/)
    const { app } = buildApp(parseConfiguration(both), { app: createApp({ bundle: false, validate: false }) })
    const stacks = app.synth().stacks.map(({ stackName, dependencies }) => ({
      stackName,
      // An asset manifest comes along with each; another stack must not.
      stacks: dependencies.filter(({ manifest }) => manifest.type === 'aws:cloudformation:stack').length,
    }))
    expect(stacks).toEqual([
      { stackName: STACK_NAME, stacks: 0 },
      { stackName: WATCH_STACK_NAME, stacks: 0 },
    ])
  })

  it.each([
    ['unless told otherwise', {}, true],
    ['not where it is told so', { terminationProtection: false }, false],
  ])('is protected against deletion like the stack that it watches, %s', (_, told, isProtected) => {
    const { app } = buildApp(parseConfiguration({ ...both, ...told }), {
      app: createApp({ bundle: false, validate: false }),
    })
    const stacks = app.synth().stacks.map(({ terminationProtection }) => terminationProtection === true)
    expect(stacks).toEqual([isProtected, isProtected])
  })

  it('is in the Region that is configured', () => {
    const region = 'eu-central-1'
    const configuration = parseConfiguration({ ...both, alarms: {}, regions: [region] })
    const { stack } = buildApp(configuration, { app: createApp({ bundle: false, validate: false }) })
    expect(stack.watch.region).toBe(region)
  })
})

/** A ring's function whose log CloudWatch reads, and the alarm on its silence. */
class Watched {
  readonly world: World
  readonly measured = new EmbeddedMetrics()
  readonly alarm: MetricAlarm = alarmNamed('ticketring-edge-key-age')

  constructor(changes: Partial<RotationConfiguration> = {}) {
    this.world = new World(undefined, changes)
  }

  state(): AlarmState {
    return stateOf(this.alarm, this.measured, this.world.clock.now())
  }

  /** Lets the schedule's ticks run for so many seconds. */
  async tick(seconds: number): Promise<void> {
    const { world, measured } = this
    const eventLog = logRingEvents('edge', () => world.clock.now(), measured.write)
    for (let passed = 0; passed < seconds; passed += 300) {
      // What fails is Lambda's to count: it says nothing.
      await world.invoke({ action: 'reconcile' }, { ...world.ports(), eventLog }).catch(() => undefined)
      world.clock.advance(300)
    }
  }
}

describe('a ring whose tick is stopped', () => {
  it('pages once CloudWatch has no data, and tells when the tick is back', async () => {
    const ring = new Watched()
    expect(ring.state()).toBe('INSUFFICIENT_DATA')
    await ring.tick(HOUR)
    expect(ring.state()).toBe('OK')
    // The schedule is gone, or the whole stack is: nothing runs, nothing is measured.
    ring.world.clock.advance(HOUR / 2)
    expect(ring.state()).toBe('INSUFFICIENT_DATA')
    expect(alarmNamed('ticketring-edge-key-age').InsufficientDataActions).toEqual([PAGE])
    await ring.tick(HOUR / 2)
    expect(ring.state()).toBe('OK')
    expect(alarmNamed('ticketring-edge-key-age').OKActions).toContain(PAGE)
  })

  it('does not page for a tick that is late once', async () => {
    const ring = new Watched()
    await ring.tick(HOUR)
    ring.world.clock.advance(300)
    expect(ring.state()).toBe('OK')
  })

  it('pages in the same way for a function that runs and fails', async () => {
    const ring = new Watched()
    await ring.tick(HOUR)
    ring.world.secret.labels = () => Promise.reject(new Error('AccessDenied'))
    await ring.tick(HOUR / 2)
    expect(ring.state()).toBe('INSUFFICIENT_DATA')
  })

  it('alarms for keys that got too old though the tick runs', async () => {
    // The deployed function would go ahead of its machines by now.
    const ring = new Watched({ timing: { ...TIMING, maxKeyAge: 2 * TIMING.maxKeyAge } })
    await ring.tick(HOUR)
    for (const instance of ring.world.fleet.instances) instance.online = false
    // One more generation is made, which no machine gets.
    ring.world.clock.advance(TIMING.every)
    await ring.tick(HOUR)
    ring.world.clock.advance(TIMING.maxKeyAge)
    await ring.tick(HOUR)
    expect(ring.state()).toBe('ALARM')
  })
})
