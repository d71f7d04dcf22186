import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { linesOf, readScript } from '../../infra/document.ts'
import { CREDENTIALS, NO_CREDENTIALS } from './endpoint.ts'
import { advanced, Instance, ringOf, SCRIPT } from './instance.ts'
import { pathWith, pathWithout } from './tool-shims.ts'

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

describe('shells', () => {
  test.each(
    ['bash', 'bash --posix', 'busybox sh'].flatMap((shell) =>
      (['haproxy', 'nginx'] as const).map((server) => ({ shell, server })),
    ),
  )('$shell does for $server what dash does', async ({ shell, server }) => {
    const encryptsWith = await oneBehind(server)
    const { line } = await instance.run({ shell: shell.split(' ') })
    expect(line).toMatchObject({ result: 'applied', generation: 2, encryptsWith })
  })

  test.each([
    ['a new agent, by a variable', { SSM_Generation: '2' }, '{{Generation}}'],
    ['an old agent, by substitution', {}, '2'],
  ])('runs as the body of a document that got its generation from %s', async (_, environment, text) => {
    await oneBehind()
    const document = join(instance.terminator.directory, '_script.sh')
    const preamble = `if [ -z "\${SSM_Generation+x}" ]; then SSM_Generation='${text}'; fi\n`
    writeFileSync(document, preamble + readScript('apply-ring.sh'))
    const { line } = await instance.run({ script: document, environment })
    expect(line).toMatchObject({ result: 'applied', generation: 2 })
  })
})

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

  test('come from the file that AWS_SHARED_CREDENTIALS_FILE names', async () => {
    await oneBehind()
    const file = join(instance.terminator.directory, 'shared')
    writeFileSync(file, '[default]\naws_access_key_id=AKIAOTHER\naws_secret_access_key=x\n')
    const environment = { ...NO_CREDENTIALS, AWS_SHARED_CREDENTIALS_FILE: file }
    const { line } = await instance.run({ environment })
    expect(line).toMatchObject({ error: 'no-credentials' })
    expect(line.detail).toContain(file)
  })
})

describe('tools', () => {
  test.each([
    ['no curl', 'curl'],
    ['no socat', 'socat'],
  ])('python3 stands in where there is %s', async (_, tool) => {
    const encryptsWith = await oneBehind()
    const PATH = pathWithout(instance.terminator.directory, tool)
    const { line } = await instance.run({
      shell: ['/usr/bin/dash'],
      environment: { ...NO_CREDENTIALS, AWS_REGION: undefined, PATH },
    })
    expect(line).toMatchObject({ result: 'applied', encryptsWith })
    expect(instance.endpoint.faults).toEqual([])
  })

  test('a curl that is too old to sign is not asked to', async () => {
    const encryptsWith = await oneBehind()
    const body = 'case $1 in --version) echo "curl 7.81.0 (x86_64-pc-linux-gnu)" ;; *) exit 2 ;; esac'
    const { line } = await instance.run({
      environment: { PATH: pathWith(instance.terminator.directory, 'curl', body) },
    })
    expect(line).toMatchObject({ result: 'applied', encryptsWith })
  })

  test('python3 reports what went wrong in the same codes', async () => {
    await oneBehind()
    const PATH = pathWithout(instance.terminator.directory, 'curl', 'socat')
    const asked = { shell: ['/usr/bin/dash'], environment: { PATH, AWS_SECRET_ACCESS_KEY: 'wrong' } }
    expect((await instance.run(asked)).line.error).toBe('no-credentials')
    instance.set(`HAPROXY_SOCKET=${instance.terminator.directory}/operator.sock`)
    expect((await instance.run({ ...asked, environment: { PATH } })).line.error).toBe('socket-not-admin')
  })
})

describe('by hand', () => {
  test('the ring and the generation are arguments, and the version is the hash of what a document carries', async () => {
    await oneBehind()
    const environment = { TICKETRING_RING: undefined, TICKETRING_SCRIPT: undefined }
    const { line } = await instance.run({ arguments: ['edge', '2'], environment })
    const hash = createHash('sha256').update(readScript('apply-ring.sh')).digest('hex')
    expect(line).toMatchObject({ result: 'applied', generation: 2, script: hash.slice(0, 12) })
  })

  test("the machine's own file overrides the document, setting by setting", async () => {
    await oneBehind()
    instance.writeConf('# this machine announces longer lives\nTICKET_LIFETIME=60\n')
    expect((await instance.run()).line.error).toBe('lifetime-exceeded')
  })

  test('--help names every setting and exits 0', () => {
    const help = execFileSync('dash', [SCRIPT, '--help'], { encoding: 'utf8' })
    const settings = [...readScript('apply-ring.sh').matchAll(/^(?:OWN|COMMON)_SETTINGS=.*$/gm)].flatMap(
      ([line]) => line.replace(/\$?\w+_SETTINGS=?/g, '').match(/[A-Z][A-Z_]+/g) ?? [],
    )
    expect(settings.length).toBeGreaterThan(15)
    for (const setting of settings) expect(help).toContain(setting)
  })

  test.each([[['--nonsense', 'edge']], [['Edge']], [['edge', '0']], [['edge', '1', '2']], [[]]])(
    'wrong usage %j exits 2 with the usage and without a result line',
    (words) => {
      const { status, stdout, stderr } = spawnSync('dash', [SCRIPT, ...words], { encoding: 'utf8', env: {} })
      expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
      expect(stderr).toContain('usage:')
    },
  )
})

describe('the files', () => {
  test('the script fits a document of 64 kB: as JSON, without comments, below 50,000 bytes, and no double braces', () => {
    const text = readScript('apply-ring.sh')
    expect(text).not.toContain('{{')
    expect(JSON.stringify(linesOf(text)).length).toBeLessThan(50_000)
  })
})
