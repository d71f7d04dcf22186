import { describe, expect, it } from 'vitest'
import { logRingEvents } from '../../lambda/handlers/event-log.ts'
import { RingAlarms } from '../../local/rehearsal/ring/ring-alarms.ts'

const PAGE = 'arn:aws:sns:us-east-1:111122223333:page'
const TICK = 2
const MAX_KEY_AGE = 43_200

function alarm(heading: string, MetricName: string, bent: object) {
  return {
    Type: 'AWS::CloudWatch::Alarm',
    Properties: {
      AlarmName: `ticketring-edge-${heading}`,
      Namespace: 'Ticketring',
      MetricName,
      Dimensions: [{ Name: 'Ring', Value: 'edge' }],
      Statistic: 'Maximum',
      Period: 300,
      ComparisonOperator: 'GreaterThanThreshold',
      ...bent,
    },
  }
}

const held = alarm('rotation-held', 'RotationHeld', {
  Threshold: 0,
  EvaluationPeriods: 6,
  DatapointsToAlarm: 6,
  TreatMissingData: 'notBreaching',
  AlarmActions: [PAGE],
})
const stragglers = alarm('stragglers', 'Stragglers', { AlarmActions: [`${PAGE}-no`] })
const keyAge = alarm('key-age', 'KeyAge', {
  Threshold: MAX_KEY_AGE,
  EvaluationPeriods: 3,
  DatapointsToAlarm: 3,
  TreatMissingData: 'missing',
  AlarmActions: [PAGE],
  InsufficientDataActions: [PAGE],
})

/** A ring of a rehearsal, whose function measures when it is told to. */
class Rehearsed {
  now = 1_000_000
  readonly #logs: { readonly functionName: string; readonly text: string }[] = []
  readonly alarms = new RingAlarms(
    {
      synthesis: { template: { Resources: { held, stragglers } }, watch: { Resources: { keyAge } } },
      ring: { name: 'edge', functionName: 'rotation', rotation: { maxKeyAge: MAX_KEY_AGE } },
      history: { logs: this.#logs },
      timing: { tick: TICK },
      override: { maxKeyAge: 24 },
    },
    () => this.now,
  )
  readonly eventLog = logRingEvents(
    'edge',
    () => new Date(this.now),
    (line) => this.#logs.push({ functionName: 'rotation', text: `${line}\n` }),
  )

  /** @param seconds that pass before each. */
  measure(times: number, { RotationHeld = 0, KeyAge = 1, seconds = TICK }): void {
    for (let n = 0; n < times; n += 1) {
      this.now += seconds * 1000
      const metrics = { KeyAge, RotationHeld, RotationForced: 0, Members: 3, Stragglers: 0 }
      this.eventLog.record({ kind: 'measured', metrics })
    }
  }
}

describe("a rehearsal's alarms", () => {
  it('count the ticks that measured, however late they came', () => {
    const ring = new Rehearsed()
    ring.measure(2, {})
    ring.measure(5, { RotationHeld: 1, seconds: 9 })
    expect(ring.alarms.stateOf('rotation-held')).toBe('OK')
    ring.measure(1, { RotationHeld: 1, seconds: 9 })
    expect(ring.alarms.stateOf('rotation-held')).toBe('ALARM')
    ring.measure(1, { seconds: 9 })
    expect(ring.alarms.stateOf('rotation-held')).toBe('OK')
  })

  it('count a tick once that also counts failures by their code', () => {
    const ring = new Rehearsed()
    for (let tick = 0; tick < 6; tick += 1) {
      ring.measure(1, { RotationHeld: 1 })
      ring.eventLog.record({ kind: 'failing', code: 'tickets-off', machines: 1 })
      ring.eventLog.record({ kind: 'failing', code: 'not-connected', machines: 2 })
    }
    expect(ring.alarms.stateOf('rotation-held')).toBe('ALARM')
    ring.measure(1, {})
    expect(ring.alarms.stateOf('rotation-held')).toBe('OK')
  })

  it('know what was in between, since a time', () => {
    const ring = new Rehearsed()
    ring.measure(6, { RotationHeld: 1 })
    ring.measure(1, {})
    const later = ring.now + 1
    ring.measure(2, {})
    expect(ring.alarms.hasBeen('rotation-held', 'ALARM', 0)).toBe(true)
    expect(ring.alarms.hasBeen('rotation-held', 'ALARM', later)).toBe(false)
  })

  it('take silence for as many periods as ticks are missing', () => {
    const ring = new Rehearsed()
    ring.measure(4, {})
    ring.now += 2 * TICK * 1000
    expect(ring.alarms.stateOf('key-age')).toBe('OK')
    ring.now += TICK * 1000
    expect(ring.alarms.stateOf('key-age')).toBe('INSUFFICIENT_DATA')
  })

  it('shorten the limit of a key’s age as the function’s own is', () => {
    const ring = new Rehearsed()
    ring.measure(3, { KeyAge: 24 })
    expect(ring.alarms.stateOf('key-age')).toBe('OK')
    ring.measure(3, { KeyAge: 25 })
    expect(ring.alarms.stateOf('key-age')).toBe('ALARM')
  })

  it('page in the states whose actions are the topic that silence tells', () => {
    const { alarms } = new Rehearsed()
    expect(alarms.pages('rotation-held', 'ALARM')).toBe(true)
    expect(alarms.pages('rotation-held', 'INSUFFICIENT_DATA')).toBe(false)
    expect(alarms.pages('key-age', 'INSUFFICIENT_DATA')).toBe(true)
    expect(alarms.pages('stragglers', 'ALARM')).toBe(false)
    expect(() => alarms.pages('unknown', 'ALARM')).toThrow('There is no alarm ticketring-edge-unknown')
  })
})
