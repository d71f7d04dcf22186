import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { CREDENTIALS, NO_CREDENTIALS } from './endpoint.ts'
import { advanced, Instance, ringOf } from './instance.ts'
import { AGENT, PYTHON } from './program.ts'

let instance: Instance
afterEach(() => instance?.stop())

async function oneBehind(server: 'haproxy' | 'nginx' = 'haproxy'): Promise<string> {
  const ring = ringOf(1)
  instance = await Instance.start(server, ring)
  await instance.run()
  const next = advanced(ring)
  instance.publish(next)
  return next.current.name
}

describe('credentials', () => {
  test('come from the instance metadata, the region too', async () => {
    const encryptsWith = await oneBehind()
    const { line } = await instance.run({ environment: { ...NO_CREDENTIALS, AWS_REGION: undefined } })
    expect(line).toMatchObject({ result: 'applied', encryptsWith })
  })

  test("come from root's shared credentials file on a hybrid machine", async () => {
    const encryptsWith = await oneBehind()
    const file = join(instance.terminator.directory, '.aws', 'credentials')
    mkdirSync(dirname(file))
    const lines = [
      '[other]',
      'aws_access_key_id = wrong',
      '[default]',
      `aws_access_key_id = ${CREDENTIALS.accessKeyId}`,
      `aws_secret_access_key=${CREDENTIALS.secretAccessKey}`,
      `aws_session_token  =  ${CREDENTIALS.sessionToken}`,
    ]
    writeFileSync(file, `${lines.join('\n')}\n`)
    const { line } = await instance.run({ environment: NO_CREDENTIALS })
    expect(line).toMatchObject({ result: 'applied', encryptsWith })
  })

  test('come from the file that AWS_SHARED_CREDENTIALS_FILE names, on a hybrid machine', async () => {
    await oneBehind()
    const file = join(instance.terminator.directory, 'shared')
    writeFileSync(file, '[default]\naws_access_key_id=AKIAOTHER\naws_secret_access_key=x\n')
    const environment = {
      ...NO_CREDENTIALS,
      AWS_SHARED_CREDENTIALS_FILE: file,
      AWS_SSM_INSTANCE_ID: 'mi-0123456789abcdef0',
    }
    const { line } = await instance.run({ environment })
    expect(line).toMatchObject({ error: 'no-credentials' })
    expect(line.detail).toContain(file)
  })
})

describe('by hand', () => {
  test.each([
    [{}, ['edge', '2']],
    [{ TICKETRING_RING: 'edge', SSM_Generation: '2' }, []],
  ])('the ring and the generation are arguments, or variables (%j)', async (variables, words) => {
    await oneBehind()
    const environment = { TICKETRING_RING: undefined, ...variables }
    const { line } = await instance.run({ arguments: words, environment })
    expect(line).toMatchObject({ result: 'applied', generation: 2 })
  })

  test("the machine's own file overrides the document, setting by setting", async () => {
    await oneBehind()
    instance.writeConf('# this machine announces longer lives\nTICKET_LIFETIME=60\n')
    expect((await instance.run()).line.error).toBe('lifetime-exceeded')
  })

  test('--help names every setting of the sources, and exits 0', () => {
    const help = execFileSync(PYTHON, ['-I', AGENT, '--help'], { encoding: 'utf8' })
    const sources = readdirSync(AGENT, { recursive: true, encoding: 'utf8' }).filter((name) =>
      name.endsWith('.py'),
    )
    const text = sources.map((name) => readFileSync(join(AGENT, name), 'utf8')).join('')
    const asked = [
      ...text.matchAll(
        /settings\.(?:get|required|path|paths|pairs|text|seconds|one_of|user|words)\("([A-Z_]+)"/g,
      ),
    ]
    expect(asked.length).toBeGreaterThan(20)
    for (const [, setting] of asked) expect(help).toContain(setting)
  })

  test.each([
    [['ring', '--nonsense', 'edge']],
    [['ring', 'Edge']],
    [['ring', 'edge', '0']],
    [['ring', 'edge', '1', '2']],
    [['staples', 'edge', 'all,']],
    [['edge']],
    [[]],
  ])('wrong usage %j exits 2 with the usage and without a result line', (words) => {
    const { status, stdout, stderr } = spawnSync(PYTHON, ['-I', AGENT, ...words], {
      encoding: 'utf8',
      env: {},
    })
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
    expect(stderr).toContain('usage:')
  })
})
