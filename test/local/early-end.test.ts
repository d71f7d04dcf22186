import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { processesOf } from './survivors.ts'

const SHARED_MEMORY = '/dev/shm'
const SMALL = ['--rotations', '1', '--fleet', 'haproxy=1,nginx=1']
/** For what ends with one server as with several. */
const SMALLEST = ['--rotations', '1', '--fleet', 'nginx=1']
/** A whole fleet has to come up (ms). */
const PATIENCE = 240_000
/** Accounts that are not ours, nor each other's. */
const OTHER = 65534
const THIRD = 65533

const opened: (() => void)[] = []
afterEach(() => {
  for (const close of opened.splice(0)) close()
})

/** A rehearsal whose processes and files are told from all others by its folder for temporary files. */
class Begun {
  readonly folder = mkdtempSync(join(tmpdir(), 'early-end-'))
  readonly child: ChildProcess
  said = ''
  /** Its folders on tmpfs, once it has some. */
  memory: readonly string[] = []

  constructor(argv: readonly string[], user?: number, variables: Readonly<Record<string, string>> = {}) {
    opened.push(() => rmSync(this.folder, { recursive: true, force: true }))
    const [command = '', ...words] = argv
    if (user !== undefined) chownSync(this.folder, user, user)
    opened.push(() => this.interrupt('SIGKILL'))
    this.child = spawn(command, words, {
      env: { PATH: process.env.PATH, HOME: this.folder, TMPDIR: this.folder, ...variables },
      stdio: ['ignore', 'pipe', 'pipe'],
      // As a terminal does: the command and all that it starts are one group.
      detached: true,
      ...(user === undefined ? {} : { uid: user, gid: user }),
    })
    for (const stream of [this.child.stdout, this.child.stderr])
      stream?.on('data', (text) => {
        this.said += text
      })
  }

  async until(words: string): Promise<void> {
    while (!this.said.includes(words)) {
      if (this.child.exitCode !== null) throw new Error(`it ended before it said ${words}: ${this.said}`)
      await pause(50)
    }
    this.#look()
  }

  /** It says that it synthesises before it has loaded what does. */
  async untilItSynthesises(): Promise<void> {
    await this.until('synthesising')
    while (this.memory.length === 0) {
      if (this.child.exitCode !== null) throw new Error(`it ended before it had a folder: ${this.said}`)
      await pause(50)
      this.#look()
    }
  }

  #look(): void {
    const own = processesOf(this.folder)
    this.memory = readdirSync(SHARED_MEMORY).filter((name) =>
      own.includes(Number(/^ticketring-(\d+)-/.exec(name)?.[1])),
    )
  }

  /** Ctrl-C, as a terminal sends it: to the whole group. */
  interrupt(signal: NodeJS.Signals = 'SIGINT'): void {
    const { exitCode, signalCode, pid } = this.child
    if (exitCode === null && signalCode === null) process.kill(-(pid as number), signal)
  }

  async code(): Promise<number | null> {
    if (this.child.exitCode === null) await once(this.child, 'exit')
    return this.child.exitCode
  }

  /** What is left on this machine once it has ended. */
  left() {
    return {
      processes: processesOf(this.folder).map((pid) => readFileSync(`/proc/${pid}/cmdline`, 'latin1')),
      files: readdirSync(this.folder).filter((name) => name.startsWith('ticketring-')),
      memory: this.memory.filter((name) => existsSync(join(SHARED_MEMORY, name))),
    }
  }
}

const NOTHING = { processes: [], files: [], memory: [] }
const main = (...words: string[]) => [
  process.execPath,
  '--import',
  'tsx',
  'local/rehearsal/main.ts',
  ...words,
]

async function expectNothingLeft(begun: Begun): Promise<void> {
  expect(begun.memory).toHaveLength(1)
  // A process that was killed is gone only when the kernel has come to it.
  await expect.poll(() => begun.left()).toEqual(NOTHING)
}

describe('a rehearsal that ends early leaves no process and no file', () => {
  it(
    'on Ctrl-C while it synthesises',
    async () => {
      // What is told otherwise was not synthesised before.
      const begun = new Begun(['npm', 'start', '--', ...SMALL], undefined, { CDK_RUN: randomUUID() })
      await begun.untilItSynthesises()
      begun.interrupt()
      expect(await begun.code()).not.toBe(0)
      expect(begun.said).toContain('Interrupted: nothing is left behind')
      expect(begun.said).not.toMatch(/\n\s+at /)
      await expectNothingLeft(begun)
    },
    PATIENCE,
  )

  it(
    'on Ctrl-C after the master of an nginx was killed, whose workers run on',
    async () => {
      const begun = new Begun(main(...SMALLEST))
      await begun.until('up: nginx')
      const [pidFile = ''] = readdirSync(begun.folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
        name.endsWith('nginx.pid'),
      )
      process.kill(Number(readFileSync(join(begun.folder, pidFile), 'utf8')), 'SIGKILL')
      begun.interrupt()
      expect(await begun.code()).not.toBe(0)
      await expectNothingLeft(begun)
    },
    PATIENCE,
  )

  it(
    'when its reader leaves, as head does',
    async () => {
      const begun = new Begun(main(...SMALLEST))
      await begun.until('up: nginx')
      begun.child.stdout?.destroy()
      expect(await begun.code()).toBe(141)
      expect(begun.said).not.toContain('EPIPE')
      await expectNothingLeft(begun)
    },
    PATIENCE,
  )

  it(
    'when it is killed: no server runs on, and the next one removes its keys',
    async () => {
      const begun = new Begun(main(...SMALL))
      await begun.until('up: nginx')
      begun.child.kill('SIGKILL')
      await once(begun.child, 'exit')
      await expect.poll(() => begun.left().processes).toEqual([])
      // Any other rehearsal of this user may remove them before that.
      expect(begun.memory).toHaveLength(1)
      const next = new Begun(main(...SMALL))
      await next.untilItSynthesises()
      next.interrupt()
      await next.code()
      expect(begun.left().memory).toEqual([])
    },
    PATIENCE,
  )
})

describe.runIf(process.getuid?.() === 0)('another user', () => {
  it(
    "rehearses beside another user's folders and leaves them alone",
    async () => {
      const { pid } = spawnSync(process.execPath, ['--version'])
      const foreign = join(SHARED_MEMORY, `ticketring-${pid}-abcdef`)
      mkdirSync(join(foreign, 'inside'), { recursive: true, mode: 0o700 })
      // Root's own would be removed by any rehearsal of root that begins meanwhile.
      chownSync(foreign, THIRD, THIRD)
      opened.push(() => rmSync(foreign, { recursive: true }))
      const begun = new Begun(main(...SMALL), OTHER)
      await begun.untilItSynthesises()
      begun.interrupt()
      expect(await begun.code()).toBe(130)
      expect(existsSync(foreign)).toBe(true)
      await expectNothingLeft(begun)
    },
    PATIENCE,
  )

  it('is told at once where a rehearsal could not announce itself at its end', async () => {
    mkdirSync('local/.run', { recursive: true })
    const begun = new Begun(main(...SMALL, '--keep'), OTHER)
    expect(await begun.code()).toBe(1)
    expect(begun.said).toMatch(/writes to \S+\.run, which the user \S+ may not\nRemove that folder/)
    expect(begun.said).not.toContain('synthesising')
  })

  it('is told at once where its report could not be written', async () => {
    const report = join(mkdtempSync(join(tmpdir(), 'early-end-')), 'report.json')
    opened.push(() => rmSync(join(report, '..'), { recursive: true }))
    const begun = new Begun(main(...SMALL, '--report', report), OTHER)
    expect(await begun.code()).toBe(1)
    expect(begun.said).toContain(`The report cannot be written to ${report}`)
  })
})
