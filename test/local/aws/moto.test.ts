import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { CreateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { afterAll, beforeAll, beforeEach, describe, vi } from 'vitest'
import { freePorts } from '../../../local/rehearsal/machines/ports.ts'
import { labelSemantics, type Target } from './label-semantics.ts'

describe.runIf(spawnSync('sh', ['-c', 'command -v moto_server']).status === 0)('moto agrees', () => {
  let moto: ChildProcess
  let target: Target
  beforeAll(async () => {
    const [port] = await freePorts(1)
    moto = spawn('moto_server', ['-H', '127.0.0.1', '-p', String(port)], { stdio: 'ignore' })
    const credentials = { accessKeyId: 'AKIAEXAMPLE', secretAccessKey: 'example' }
    const endpoint = `http://127.0.0.1:${port}`
    target = { client: new SecretsManagerClient({ endpoint, region: 'us-east-1', credentials }), secret: '' }
    await vi.waitFor(() => fetch(endpoint), { timeout: 60_000, interval: 200 })
  })
  beforeEach(async () => {
    const secret = `rings/${randomUUID()}`
    await target.client.send(new CreateSecretCommand({ Name: secret, SecretString: '{}' }))
    target = { ...target, secret }
  })
  afterAll(() => {
    moto.kill()
  })
  labelSemantics(() => target)
})
