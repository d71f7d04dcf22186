import { describe, expect, it } from 'vitest'
import { parseRotationConfiguration, ROTATION_VARIABLE } from '../../../lambda/ring/configuration.ts'
import { exampleRing, NGINX, settingsIn } from '../app/example.ts'
import { flat, type Resource, synthesiseTemplate } from '../app/synthesis.ts'

const { resources, rings, summary, template } = synthesiseTemplate({ rings: [exampleRing()] })
const hooked = synthesiseTemplate({
  rings: [exampleRing({ rotation: { every: '6h', trigger: 'secrets-manager' } })],
  alarmTopic: 'arn:aws:sns:eu-west-1:123456789012:ops',
  regions: ['eu-west-1'],
})

function configurationOf(rotation: Resource) {
  return parseRotationConfiguration(
    String(flat(rotation.Properties.Environment.Variables[ROTATION_VARIABLE])).replace(
      /<EdgeRingSecret>/,
      'arn:x',
    ),
  )
}

describe('the secret', () => {
  const secret = resources.one('AWS::SecretsManager::Secret')

  it('begins as the constant {}: another value in a later deploy would wipe the ring', () => {
    expect(secret.Properties).toEqual({
      Name: 'ticketring/edge',
      Description: expect.any(String),
      KmsKeyId: expect.anything(),
      SecretString: '{}',
    })
    expect(hooked.resources.one('AWS::SecretsManager::Secret').Properties.SecretString).toBe('{}')
  })

  it.each([
    'AWS::SecretsManager::Secret',
    'AWS::KMS::Key',
    'AWS::SecretsManager::ResourcePolicy',
    'AWS::Logs::LogGroup',
  ])(
    '%s outlives the stack, but not a creation that failed: its name would block the next deploy',
    (type) => {
      const kept = resources.all(type)
      expect(kept.length).toBeGreaterThan(0)
      for (const resource of kept)
        expect(resource).toMatchObject({
          DeletionPolicy: 'RetainExceptOnCreate',
          UpdateReplacePolicy: 'Retain',
        })
    },
  )

  it('is encrypted under a key of its own that rotates', () => {
    expect(resources.one('AWS::KMS::Key').Properties.EnableKeyRotation).toBe(true)
    expect(flat(secret.Properties.KmsKeyId)).toBe('<EdgeRingKey.Arn>')
  })
})

describe('the function', () => {
  const rotation = resources.lambda('ticketring-edge-rotation')

  it('runs on Node 24 on arm64, for at most a tick', () => {
    expect(rotation.Properties).toMatchObject({
      FunctionName: 'ticketring-edge-rotation',
      Handler: 'index.handler',
      Runtime: 'nodejs24.x',
      Architectures: ['arm64'],
      Timeout: 300,
      MemorySize: 256,
    })
  })

  it('is told that its ring starts paused, where it does', () => {
    const paused = synthesiseTemplate({ rings: [exampleRing({ rotation: { start: 'paused' } })] })
    expect(configurationOf(paused.resources.lambda('ticketring-edge-rotation'))).toMatchObject({
      start: 'paused',
    })
  })

  it('is told that its machines only look, where nothing else is configured', () => {
    const { mode: _, ...unsaid } = exampleRing()
    const observing = synthesiseTemplate({ rings: [unsaid] })
    expect(configurationOf(observing.resources.lambda('ticketring-edge-rotation')).mode).toBe('observe')
    expect(observing.summary.join('\n')).toContain('observes: its machines check the ring')
    const lines = observing.rings[0]?.document.content.mainSteps[0].inputs.runCommand ?? []
    expect(settingsIn(lines)).toContain('MODE=observe')
  })

  it('has one environment variable, which its own parser takes', () => {
    expect(Object.keys(rotation.Properties.Environment.Variables)).toEqual([ROTATION_VARIABLE])
    expect(configurationOf(rotation)).toEqual({
      ring: 'edge',
      secret: 'arn:x',
      document: {
        name: rings[0]?.document.name,
        version: '1',
        script: rings[0]?.document.script,
      },
      target: { tag: 'ticketring', values: ['edge'], minInstances: 2 },
      mode: 'enforce',
      record: '/ticketring/edge/delivery',
      control: '/ticketring/edge/control',
      timing: {
        every: 14_400,
        window: 900,
        ticketLifetime: 7200,
        maxKeyAge: 43_200,
        tick: 300,
        delivery: 120,
        execution: 120,
      },
      announcedAtMost: 7200,
      trigger: 'schedule',
    })
  })

  it('gives a delivery up before the next tick redelivers', () => {
    const { timing } = configurationOf(rotation)
    expect(timing.delivery + timing.execution).toBeLessThan(timing.tick)
    // SendCommand takes no shorter TimeoutSeconds.
    expect(timing.delivery).toBeGreaterThanOrEqual(30)
  })

  it('waits as long for a command as its document lets it run, where a kind of server takes its time', () => {
    const lighttpd = { ...NGINX, keys: '/run/ticketring/edge/lighttpd.key' }
    const slow = synthesiseTemplate({ rings: [exampleRing({ servers: { lighttpd } })] })
    const { execution } = configurationOf(slow.resources.lambda('ticketring-edge-rotation')).timing
    const [step] = slow.rings[0]?.document.content.mainSteps ?? []
    expect(execution).toBeGreaterThan(120)
    expect(String(execution)).toBe(step?.inputs.timeoutSeconds)
  })

  it('is never retried by Lambda itself: the tick looks again', () => {
    expect(resources.one('AWS::Lambda::EventInvokeConfig').Properties.MaximumRetryAttempts).toBe(0)
  })

  it('that only looks is the same code with the same configuration, by the export that refuses to act', () => {
    const { Properties } = resources.lambda('ticketring-edge-status')
    expect(Properties).toMatchObject({ Handler: 'index.status', Timeout: 300 })
    expect(Properties.Code).toEqual(rotation.Properties.Code)
    expect(Properties.Environment).toEqual(rotation.Properties.Environment)
    expect(resources.logGroupOf('ticketring-edge-status').Properties.RetentionInDays).toBe(365)
  })

  it('logs into a group with an end', () => {
    expect(flat(rotation.Properties.LoggingConfig)).toEqual({ LogGroup: '<EdgeRotationLogs>' })
    expect(resources.logGroupOf('ticketring-edge-rotation').Properties.RetentionInDays).toBe(365)
  })
})

describe('the schedules', () => {
  const byName = (from: typeof resources): Readonly<Record<string, Resource['Properties']>> =>
    Object.fromEntries(
      from.all('AWS::Scheduler::Schedule').map(({ Properties }) => [Properties.Name, Properties]),
    )

  it('rotate every T within a window that the gate knows of', () => {
    const rotate = byName(resources)['ticketring-edge-rotate']
    expect(rotate).toMatchObject({
      ScheduleExpression: 'rate(240 minutes)',
      FlexibleTimeWindow: { Mode: 'FLEXIBLE', MaximumWindowInMinutes: 15 },
    })
    expect(JSON.parse(rotate.Target.Input)).toEqual({
      action: 'rotate',
      scheduledTime: '<aws.scheduler.scheduled-time>',
    })
  })

  it.each([
    ['30m', 1],
    ['2h', 7],
    ['24h', 15],
  ])('leave T of %s a window of %i minutes', (every, minutes) => {
    const synthesis = synthesiseTemplate({ rings: [exampleRing({ rotation: { every } })] })
    expect(
      byName(synthesis.resources)['ticketring-edge-rotate'].FlexibleTimeWindow.MaximumWindowInMinutes,
    ).toBe(minutes)
    expect(configurationOf(synthesis.resources.lambda('ticketring-edge-rotation')).timing.window).toBe(
      minutes * 60,
    )
  })

  it.each([
    ['schedule', resources],
    ['secrets-manager', hooked.resources],
  ])('reconcile every five minutes with trigger %s', (_, from) => {
    const reconcile = byName(from)['ticketring-edge-reconcile']
    expect(reconcile).toMatchObject({
      ScheduleExpression: 'rate(5 minutes)',
      FlexibleTimeWindow: { Mode: 'OFF' },
    })
    expect(JSON.parse(reconcile.Target.Input)).toEqual({ action: 'reconcile' })
  })

  it('keep what they could not hand over', () => {
    for (const { Target } of Object.values(byName(resources))) {
      expect(flat(Target.DeadLetterConfig)).toEqual({ Arn: '<EdgeSchedulesUndelivered.Arn>' })
      expect(Target.RetryPolicy).toEqual({ MaximumRetryAttempts: 2, MaximumEventAgeInSeconds: 300 })
    }
  })
})

describe('trigger secrets-manager', () => {
  it('leaves the rotation to Secrets Manager and no second clock', () => {
    const names = hooked.resources.all('AWS::Scheduler::Schedule').map(({ Properties }) => Properties.Name)
    expect(names).toEqual(['ticketring-edge-reconcile'])
    expect(hooked.resources.one('AWS::SecretsManager::RotationSchedule').Properties).toEqual({
      SecretId: expect.anything(),
      RotationLambdaARN: expect.anything(),
      RotateImmediatelyOnUpdate: false,
      RotationRules: { ScheduleExpression: 'rate(6 hours)', Duration: '1h' },
    })
    expect(resources.all('AWS::SecretsManager::RotationSchedule')).toEqual([])
  })

  it('waits for the permission, which carries the source account', () => {
    const [id, permission] =
      hooked.resources.entries().find(([, { Type }]) => Type === 'AWS::Lambda::Permission') ?? []
    expect(flat(permission?.Properties)).toEqual({
      Action: 'lambda:InvokeFunction',
      FunctionName: '<EdgeRotationFunction.Arn>',
      Principal: 'secretsmanager.amazonaws.com',
      SourceAccount: '<AWS::AccountId>',
    })
    expect(hooked.resources.one('AWS::SecretsManager::RotationSchedule').DependsOn).toContain(id)
    expect(resources.all('AWS::Lambda::Permission')).toEqual([])
  })

  it('tells the function so, with the hour that Secrets Manager may take', () => {
    const { trigger, timing } = configurationOf(hooked.resources.lambda('ticketring-edge-rotation'))
    expect({ trigger, window: timing.window }).toEqual({ trigger: 'secrets-manager', window: 3600 })
  })
})

describe('what reaches the machines', () => {
  const document = resources.document('ticketring-edge')

  it('is a document that is replaced, never edited', () => {
    expect(document.Properties).toMatchObject({
      Name: rings[0]?.document.name,
      DocumentType: 'Command',
      DocumentFormat: 'JSON',
      TargetType: '/',
      UpdateMethod: 'Replace',
    })
    // A token in the content would change it after its name was made.
    expect(document.Properties.Content).toEqual(rings[0]?.document.content)
  })

  it('comes to new and drifted machines by an association on that very version', () => {
    expect(flat(resources.one('AWS::SSM::Association').Properties)).toEqual({
      AssociationName: 'ticketring-edge',
      Name: '<EdgeDeliveryDocument>',
      DocumentVersion: '1',
      // A deploy's new document brings nothing to a machine that has one.
      Parameters: { Program: ['keep'] },
      ScheduleExpression: 'rate(30 minutes)',
      Targets: [{ Key: 'tag:ticketring', Values: ['edge'] }],
      MaxConcurrency: '25%',
      MaxErrors: '100%',
      ComplianceSeverity: 'MEDIUM',
    })
  })
})

describe('repairEvery', () => {
  it.each([
    ['45m', 'rate(45 minutes)'],
    ['1h', 'rate(1 hour)'],
    ['6h', 'rate(6 hours)'],
  ])('%s is how often the association runs: %s', (repairEvery, rate) => {
    const { resources: repaired } = synthesiseTemplate({ rings: [exampleRing({ repairEvery })] })
    expect(repaired.one('AWS::SSM::Association').Properties.ScheduleExpression).toBe(rate)
  })
})

describe('the stack tells', () => {
  it('the secret and the function of each ring as outputs', () => {
    const outputs = flat(template.Outputs) as Record<string, { Value: string }>
    expect(outputs.EdgeSecret?.Value).toBe('<EdgeRingSecret>')
    expect(outputs.EdgeFunction?.Value).toBe('<EdgeRotationFunction>')
  })

  it('which machines, how long keys and tickets live, and what it may touch', () => {
    const text = summary.join('\n')
    for (const fact of [
      'ticketring = edge',
      'at least 2',
      'haproxy and nginx',
      'every 4h',
      'lives 12h',
      'tickets live 2h',
      'secret ticketring/edge',
      'parameter /ticketring/edge/delivery',
      `document ${rings[0]?.document.name}`,
      'each machine looks every 30m',
      'role terminators',
      'alarms send no message',
    ]) {
      expect(text).toContain(fact)
    }
    expect(hooked.summary.join('\n')).toContain('alarms tell arn:aws:sns:eu-west-1:123456789012:ops')
  })
})

describe('several rings in one app', () => {
  const both = synthesiseTemplate({
    rings: [
      exampleRing(),
      JSON.parse(JSON.stringify(exampleRing({ fleetRoles: ['quays'] })).replaceAll('edge', 'quay')),
    ],
  })
  const idsOf = (ring: string) => both.resources.unshared().filter(([id]) => id.startsWith(ring))

  it('share no resource', () => {
    expect(idsOf('Edge').length).toBe(idsOf('Quay').length)
    expect(idsOf('Edge').length + idsOf('Quay').length).toBe(both.resources.unshared().length)
  })

  it('never mention each other', () => {
    for (const [, resource] of idsOf('Edge')) expect(JSON.stringify(resource)).not.toMatch(/quay/i)
    for (const [, resource] of idsOf('Quay')) expect(JSON.stringify(resource)).not.toMatch(/\b[Ee]dge/)
  })

  it('leave a ring as it is without the other', () => {
    expect(Object.fromEntries(idsOf('Edge'))).toEqual(Object.fromEntries(resources.unshared()))
  })
})

describe('a ring with a canary', () => {
  const canary = { tag: 'canary', values: ['yes'], soak: '20m', stopOnAlarms: ['edge-5xx'] }
  const made = synthesiseTemplate({ rings: [exampleRing({ canary })] })
  const quiet = synthesiseTemplate({ rings: [exampleRing({ canary: { ...canary, stopOnAlarms: [] } })] })

  it('tells the function of it', () => {
    const told = configurationOf(made.resources.lambda('ticketring-edge-rotation'))
    expect(told.canary).toEqual({ ...canary, soak: 1200 })
  })

  it('lets both of its functions see alarms, where some are named, and no other ring', () => {
    const permitted = (from: typeof made) =>
      JSON.stringify(from.resources.all('AWS::IAM::Role')).split('"cloudwatch:DescribeAlarms"').length - 1
    expect(permitted(made)).toBe(2)
    expect(permitted(quiet)).toBe(0)
  })

  it('has an alarm of its own, and tells its machines for how long they may stay behind', () => {
    const names = (from: typeof made.resources) =>
      from.all('AWS::CloudWatch::Alarm').map(({ Properties }) => Properties.AlarmName)
    expect(names(made.resources)).toContain('ticketring-edge-canary-failed')
    expect(names(resources)).not.toContain('ticketring-edge-canary-failed')
    const text = (one: typeof made) => JSON.stringify(one.rings[0]?.document.content)
    // maxKeyAge less ticketLifetime and 15 minutes.
    expect(text(made)).toContain(`STAY_BEHIND=${12 * 3600 - 2 * 3600 - 900}`)
  })
})
