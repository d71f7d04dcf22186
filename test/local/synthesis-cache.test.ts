import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Synthesis } from '../../infra/app/build-app.ts'
import type { StackPlan } from '../../local/rehearsal/stack-plan.ts'
import { SynthesisCache } from '../../local/rehearsal/synthesis-cache.ts'

let home: string
let cache: SynthesisCache
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'ticketring-cache-'))
  cache = new SynthesisCache(home)
  for (const path of [...SOURCES, 'node_modules/p/index.js']) place(path, 'one')
})
afterEach(() => rmSync(home, { recursive: true }))

const SOURCES = ['cdk.json', 'agent/a.py', 'infra/app/b.ts', 'lambda/c.ts', 'local/d.ts']

function place(path: string, text: string): void {
  mkdirSync(dirname(join(home, path)), { recursive: true })
  writeFileSync(join(home, path), text)
}

/** A stack with an assembly of one file. */
function stack(summary: string): Synthesis {
  place('made/manifest.json', summary)
  const assembly = join(home, 'made')
  return {
    template: { Resources: {} },
    watch: { Resources: {} },
    summary: [summary],
    rings: [],
    stapling: [],
    assembly,
  }
}

const none = {}
const PLAN: StackPlan = { machines: 2, stapled: 2, kinds: ['nginx'] }
const outdir = () => join(home, 'cdk.out')

describe('the digest of what goes into a stack', () => {
  it.each<[string, () => void]>([
    ...SOURCES.map((path): [string, () => void] => [`the content of ${path}`, () => place(path, 'two')]),
    ['another source', () => place('lambda/e.ts', 'one')],
    ['a source that is gone', () => rmSync(join(home, 'lambda/c.ts'))],
    ['an installed package of the same size', () => place('node_modules/p/index.js', 'two')],
    [
      'the same, which has its time of modification from before',
      () => {
        place('node_modules/p/index.js', 'two')
        utimesSync(join(home, 'node_modules/p/index.js'), 0, 0)
      },
    ],
  ])('is another by %s', (_, change) => {
    const before = cache.digest(PLAN, none)
    change()
    expect(cache.digest(PLAN, none)).not.toBe(before)
  })

  it('is another for another number of machines, and where the tools are told something else', () => {
    const others = [{ CDK_DEBUG: '1' }, { NODE_ENV: 'production' }, { NODE_OPTIONS: '--import x' }]
    const all = [
      cache.digest(PLAN, none),
      ...[
        { ...PLAN, machines: 1 },
        { ...PLAN, stapled: 1 },
        { ...PLAN, kinds: [] },
      ].map((plan) => cache.digest(plan, none)),
      ...others.map((each) => cache.digest(PLAN, each)),
    ]
    expect(new Set(all).size).toBe(7)
  })

  it('is the same whatever is beside that', () => {
    const before = cache.digest(PLAN, none)
    for (const path of [
      'docs/a.md',
      'local/.run/rehearsal.json',
      'agent/__pycache__/a.pyc',
      'node_modules/.vite/r',
    ])
      place(path, 'one')
    expect(cache.digest(PLAN, { PATH: '/bin' })).toBe(before)
  })
})

describe('a stack that is kept', () => {
  it('is found by its digest alone, with an assembly of its own', () => {
    cache.keep('a', stack('first'))
    expect(cache.find('b', outdir())).toBeUndefined()
    expect(cache.find('a', outdir())).toEqual({ ...stack('first'), assembly: outdir() })
    expect(readFileSync(join(outdir(), 'manifest.json'), 'utf8')).toBe('first')
  })

  it('gives way to younger ones, and so does what a killed process left', () => {
    const folder = join(home, 'node_modules/.cache/ticketring')
    mkdirSync(join(folder, 'new-killed'), { recursive: true })
    for (const [at, digest] of [...'abcdefghij'].entries()) {
      cache.keep(digest, stack(digest))
      utimesSync(join(folder, digest), at, at)
    }
    utimesSync(join(folder, 'new-killed'), 0, 0)
    cache.keep('k', stack('k'))
    expect(readdirSync(folder)).toEqual([...'defghijk'])
  })

  it('is none where it is not whole', () => {
    cache.keep('a', stack('first'))
    rmSync(join(home, 'node_modules/.cache/ticketring/a/synthesis.json'))
    expect(cache.find('a', outdir())).toBeUndefined()
    expect(existsSync(outdir())).toBe(false)
  })

  it('that cannot be written is no failure', () => {
    rmSync(join(home, 'node_modules'), { recursive: true })
    writeFileSync(join(home, 'node_modules'), '')
    cache.keep('a', stack('first'))
    expect(cache.find('a', outdir())).toBeUndefined()
  })
})

describe('a rehearsal that wants a stack', () => {
  const obtain = (make: () => Promise<Synthesis>) => cache.obtain(PLAN, outdir(), make)
  const failing = () => Promise.reject(new Error('synthesised'))

  it('is given the one that is kept, and none is made', async () => {
    cache.keep(cache.digest(PLAN, process.env), stack('kept'))
    expect((await obtain(failing)).summary).toEqual(['kept'])
  })

  it('is given a new one where none is, which is kept', async () => {
    expect(await obtain(async () => stack('made'))).toEqual(stack('made'))
    expect((await obtain(failing)).summary).toEqual(['made'])
  })

  it('has nothing kept where a source has changed while it was made', async () => {
    await obtain(async () => {
      place('lambda/c.ts', 'two')
      return stack('either')
    })
    place('lambda/c.ts', 'one')
    await expect(obtain(failing)).rejects.toThrow('synthesised')
  })

  it.each([
    ['a link to nowhere among the sources', 'lambda/.#c.ts', 'editor@host:1'],
    ['a package that is linked from elsewhere', 'node_modules/q', '../lambda'],
  ])('has nothing kept beside %s', async (_, path, target) => {
    symlinkSync(target, join(home, path))
    await obtain(async () => stack('made'))
    await expect(obtain(failing)).rejects.toThrow('synthesised')
  })

  it('has nothing kept where it could not be made', async () => {
    await expect(obtain(failing)).rejects.toThrow('synthesised')
    expect(existsSync(join(home, 'node_modules/.cache'))).toBe(false)
  })
})
