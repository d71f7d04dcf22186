/** When nginx is not reloaded: too soon, while old workers pile up, and while others change its configuration. */
import { execFileSync } from 'node:child_process'
import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { connect, type TLSSocket } from 'node:tls'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Ring } from '../../lambda/ring/ring.ts'
import { SERVER_NAME } from './identity.ts'
import { advanced, type Instance, ringOf } from './instance.ts'
import { refused, startOneBehind } from './machine.ts'
import { StapleInstance } from './staple-instance.ts'

const INTERVAL = 'NGINX_MIN_RELOAD_INTERVAL'
const EDITED = 'config-changed-by-others'

let machine: Instance
/** What AWSCURRENT names, while the machine runs the generation before it. */
let next: Ring
beforeEach(async () => {
  ;[machine, next] = await startOneBehind('nginx')
})
afterEach(() => machine.stop())

const path = (name: string) => join(machine.terminator.directory, name)

function reloads(): number {
  return readFileSync(path('error.log'), 'utf8').split('signal 1 (SIGHUP)').length - 1
}

/** Runs, and expects the ring of AWSCURRENT to encrypt. */
async function applies(ring = next): Promise<void> {
  const { line } = await machine.run()
  expect(line).toMatchObject({ result: 'applied', encryptsWith: ring.current.name })
}

interface Worker {
  readonly pid: string
  readonly leaves: boolean
}

function workers(): readonly Worker[] {
  const master = machine.terminator.pid()
  const children = readFileSync(`/proc/${master}/task/${master}/children`, 'utf8').trim().split(' ')
  return children.flatMap((pid) => {
    try {
      const title = readFileSync(`/proc/${pid}/cmdline`, 'latin1')
      return title.includes('worker process') ? [{ pid, leaves: title.includes('shutting down') }] : []
    } catch {
      // It has ended since.
      return []
    }
  })
}

/** What an operator does; ends when the new workers alone take connections. */
async function reload(): Promise<void> {
  const before = new Set(workers().map(({ pid }) => pid))
  execFileSync('nginx', ['-s', 'reload', '-c', path('nginx.conf')], { stdio: 'ignore' })
  await expect.poll(() => serving().length > 0 && serving().every(({ pid }) => !before.has(pid))).toBe(true)
}

/** The program's own last reload was two minutes earlier. */
function ageLastReload(): void {
  for (const name of readdirSync(machine.terminator.directory).filter((each) => each.endsWith('.reload'))) {
    const [start, moment, digest] = readFileSync(path(name), 'utf8').trim().split(' ')
    writeFileSync(path(name), `${start} ${Number(moment) - 120} ${digest}\n`)
  }
}

const serving = () => workers().filter(({ leaves }) => !leaves)

describe('an interval between two reloads', () => {
  beforeEach(() => machine.set(`${INTERVAL}=600`))

  test('that has not passed: the ring waits, says for how long, and what ran before runs on', async () => {
    const before = reloads()
    const detail = await refused(machine, 'reload-deferred')
    expect(detail).toContain('600 s between reloads')
    const { line } = await machine.run()
    expect(line.retryAfter).toBeGreaterThan(300)
    expect(line.retryAfter).toBeLessThanOrEqual(600)
    expect(reloads()).toBe(before)
  })

  test('that has passed: the next contact brings it', async () => {
    await refused(machine, 'reload-deferred')
    machine.set(`${INTERVAL}=0`)
    await applies()
  })

  test('is not waited for by a revoke, nor by another lineage', async () => {
    const revoked = { ...ringOf(3), lineage: next.lineage }
    machine.publish(revoked)
    await applies(revoked)
    const reset = ringOf(1, 'c3b7d1a8-54c1-4d2c-9a4c-0f5a6b1f2d11')
    machine.publish(reset)
    expect((await machine.run()).line).toMatchObject({ result: 'reset', encryptsWith: reset.current.name })
  })

  test('is not waited for by a first delivery', async () => {
    rmSync(join(machine.runDirectory, 'state'))
    await applies()
  })
})

describe('old workers', () => {
  test('that have connections yet, more than there may be: the ring waits until they are gone', async () => {
    machine.set('NGINX_MAX_DRAINING=0')
    const text = readFileSync(path('nginx.conf'), 'utf8')
    writeFileSync(path('nginx.conf'), text.replace('http {', 'http {\n  client_header_timeout 600s;'))
    await reload()
    const client = await begin()
    await reload()
    await expect.poll(() => workers().filter(({ leaves }) => leaves).length).toBe(1)
    const before = reloads()
    const detail = await refused(machine, 'reload-deferred')
    expect(detail).toMatch(/at most 0 old workers of nginx, found 1, the oldest of \d+ s/)
    expect(reloads()).toBe(before)
    machine.set('NGINX_MAX_DRAINING=8')
    await applies()
    client.destroy()
  })

  test('that hold keys which the ring has no longer are told with the age of the oldest, until they are gone', async () => {
    const client = await begin()
    await applies()
    const { line } = await machine.run()
    expect(line).toMatchObject({ result: 'unchanged', oldProcesses: 1 })
    expect(line.oldestSeconds).toBeGreaterThanOrEqual(0)
    client.destroy()
    await expect.poll(() => workers().some(({ leaves }) => leaves)).toBe(false)
    expect((await machine.run()).line).not.toHaveProperty('oldProcesses')
  })

  /** A client in the middle of its request, which a worker that leaves serves to its end. */
  async function begin(): Promise<TLSSocket> {
    const options = {
      port: machine.terminator.ports.plain,
      servername: SERVER_NAME,
      rejectUnauthorized: false,
    }
    const client = connect({ host: '127.0.0.1', ...options })
    client.on('error', () => undefined)
    await new Promise((resolve) => client.once('secureConnect', resolve))
    await new Promise((resolve) => client.write('GET / HTTP/1.1\r\nHost: a\r\n', resolve))
    return client
  }
})

describe('a configuration', () => {
  test('that others have changed and not loaded: it is not published, until they load it', async () => {
    const before = reloads()
    appendFileSync(path('nginx.conf'), '# to be continued\n')
    expect(await refused(machine, EDITED)).toContain(path('nginx.conf'))
    expect(reloads()).toBe(before)
    await reload()
    await applies()
  })

  test('that others have changed is not published by a revoke either', async () => {
    appendFileSync(path('nginx.conf'), '# to be continued\n')
    machine.publish({ ...ringOf(3), lineage: next.lineage })
    await refused(machine, EDITED)
  })

  test('that others have changed is published where the policy says so, and by a first delivery', async () => {
    appendFileSync(path('nginx.conf'), '# to be continued\n')
    machine.set('NGINX_RELOAD_POLICY=always')
    await applies()
    machine.unset('NGINX_RELOAD_POLICY')
    appendFileSync(path('nginx.conf'), '# and so on\n')
    rmSync(join(machine.runDirectory, 'state'))
    const later = advanced(next)
    machine.publish(later)
    await applies(later)
  })

  test('that was touched, or changed and put back, is the same', async () => {
    const text = readFileSync(path('nginx.conf'), 'utf8')
    utimesSync(path('nginx.conf'), new Date(), new Date())
    await applies()
    writeFileSync(path('nginx.conf'), `${text}# half`)
    writeFileSync(path('nginx.conf'), text)
    next = advanced(next)
    machine.publish(next)
    await applies()
  })

  describe('of several files', () => {
    /** As Debian has them: links to files that may be as old as they like. */
    beforeEach(async () => {
      for (const folder of ['available', 'enabled']) mkdirSync(path(folder))
      const text = readFileSync(path('nginx.conf'), 'utf8')
      writeFileSync(path('nginx.conf'), text.replace('http {', `http {\n  include ${path('enabled')}/*;`))
      writeFileSync(path('available/old'), '# a site of long ago\n')
      symlinkSync(path('available/old'), path('enabled/one'))
      await reload()
      await applies()
      next = advanced(next)
      machine.publish(next)
    })

    test('one is linked in, however old it is', async () => {
      symlinkSync(path('available/old'), path('enabled/two'))
      expect(await refused(machine, EDITED)).toContain('enabled/two')
    })

    test('one is moved in that has the times of another', async () => {
      writeFileSync(path('moved'), '# from elsewhere\n')
      utimesSync(path('moved'), new Date(0), new Date(0))
      renameSync(path('moved'), path('enabled/two'))
      expect(await refused(machine, EDITED)).toContain('enabled/two')
    })

    test('one is removed', async () => {
      unlinkSync(path('enabled/one'))
      await refused(machine, EDITED)
    })

    test('one is removed, and nginx reloaded: that is loaded, and the ring comes', async () => {
      unlinkSync(path('enabled/one'))
      ageLastReload()
      await reload()
      await applies()
    })
  })
})

describe('beside a set of staples', () => {
  let staples: StapleInstance
  beforeEach(async () => {
    staples = StapleInstance.on(machine)
    await staples.staple()
    for (const each of [machine, staples]) each.set(`${INTERVAL}=600`)
  })

  test('a refreshed staple that has to wait goes in with the reload of the ring', async () => {
    const der = staples.publish({ from: -0.5 })
    const { line } = await staples.run()
    expect(line).toMatchObject({ error: 'reload-deferred', installed: 1, held: 1 })
    expect(line.retryAfter).toBeGreaterThan(300)
    machine.set(`${INTERVAL}=0`)
    await applies()
    const before = reloads()
    expect(await staples.stapled()).toEqual(der)
    expect((await staples.run()).line).toMatchObject({ result: 'unchanged', held: 1 })
    expect(reloads()).toBe(before)
  })

  test('one that no listener shows and that had to wait is loaded by the next contact', async () => {
    staples.verifyOn('client-certificate')
    staples.publish({ from: -0.5 })
    expect((await staples.run()).line).toMatchObject({ error: 'reload-deferred' })
    staples.set(`${INTERVAL}=0`)
    const before = reloads()
    await staples.run()
    expect(reloads()).toBe(before + 1)
  })

  test('one that is withdrawn does not wait', async () => {
    staples.withdraw()
    expect((await staples.run()).line).toMatchObject({ result: 'applied', withdrawn: 1 })
    expect(await staples.stapled()).toBeNull()
  })

  test('its snippets are no change of the configuration by others', async () => {
    machine.set(`${INTERVAL}=0`)
    for (const file of [`${staples.file}.conf`, staples.file]) unlinkSync(file)
    await applies()
  })
})
