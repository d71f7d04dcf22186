import { execFileSync, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { toLayout } from '../lambda/ring/layouts.ts'
import { genesis, keysOf, parseRing } from '../lambda/ring/ring.ts'
import { seededChance } from './fakes/chance.ts'

const chance = seededChance('adopt')
const ring = genesis('edge', chance.uuid(), { parent: 'v0', now: new Date(0), random: chance.random })
const folder = mkdtempSync(join(tmpdir(), 'adopt-'))
afterAll(() => rmSync(folder, { recursive: true }))

const command = (args: string[]) =>
  [process.execPath, ['--import', 'tsx', 'local/adopt.ts', ...args], { encoding: 'utf8' }] as const

describe('adopt', () => {
  it("makes a ring of a fleet's present keys, from HAProxy's file and from nginx's", () => {
    const haproxy = join(folder, 'haproxy.keys')
    writeFileSync(
      haproxy,
      keysOf(ring)
        .map((key) => `${toLayout(key, 'haproxy-80').toString('base64')}\n`)
        .join(''),
    )
    const nginx = keysOf(ring).map((key, n) => {
      const file = join(folder, `nginx.${n}`)
      writeFileSync(file, toLayout(key, 'nginx-80'))
      return file
    })
    for (const [layout, files] of [
      ['haproxy-80', [haproxy]],
      ['nginx-80', nginx],
    ] as const) {
      const adopted = parseRing(
        execFileSync(...command(['--ring', 'edge', '--layout', layout, ...files])),
        'edge',
      )
      expect(adopted && keysOf(adopted).map((key) => key.serialise())).toEqual(
        keysOf(ring).map((key) => key.serialise()),
      )
      expect(adopted?.generation).toBe(1)
    }
  })

  it.each([
    [['--layout', 'nginx-80'], 'wanted --ring with the name that cdk.json gives the ring; got none'],
    [['--ring', 'Edge!', '--layout', 'nginx-80'], 'got "Edge!"'],
    [['--ring', 'edge', '--layout', 'nginx-80'], 'wanted three keys in the files named; got 0'],
    [['--ring', 'edge'], 'layout'],
  ])('refuses %j and says what was wanted', (args, why) => {
    const { status, stdout, stderr } = spawnSync(...command(args))
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
    expect(stderr).toContain(why)
  })

  it('refuses what is no ring, prints no key, and exits 2', () => {
    const file = join(folder, 'two')
    writeFileSync(file, 'AAAA\nAAAA\n')
    const { status, stdout, stderr } = spawnSync(
      ...command(['--ring', 'edge', '--layout', 'haproxy-80', file]),
    )
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
    expect(stderr).toContain('wanted a key of 80 bytes')
  })

  it('says of a key that no ring may have to name other files, and nothing of the secret', () => {
    const file = join(folder, 'weak.keys')
    const line = randomBytes(80).toString('base64')
    writeFileSync(file, `${line}\n${line}\n${randomBytes(80).toString('base64')}\n`)
    const { status, stderr } = spawnSync(...command(['--ring', 'edge', '--layout', 'haproxy-80', file]))
    expect(status).toBe(2)
    expect(stderr).toMatch(
      /^adopt: key-repeated: .* Such keys are not adopted: name other files, or have new keys made\n$/,
    )
  })
})
