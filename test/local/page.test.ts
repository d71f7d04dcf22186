import { spawnSync } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { emptyStapleTally, emptyTally } from '../../local/rehearsal/clients/tally.ts'
import type { RunHistory } from '../../local/rehearsal/page/history.ts'
import { pageOf, type Shown } from '../../local/rehearsal/page/page.ts'
import { Browser } from './browser.ts'

/** What a machine might be called, and say, to run in who reads of it. */
const HOSTILE = `<script>document.title='taken'</script><img src="https://example.com/x" onerror=alert(1)>"'&`
const START = Date.UTC(2026, 10, 28)
const at = (second: number) => START + second * 1000

const IDS = ['i-0aaaaaaaaaaaaaaaa', 'i-0bbbbbbbbbbbbbbbb', HOSTILE, `i-${'long'.repeat(60)}`]
const history: RunHistory = {
  from: at(0),
  to: at(60),
  ring: 'edge',
  machines: IDS.map((id, index) => ({
    id,
    server: index % 2 === 0 ? 'haproxy' : 'nginx',
    generations: [
      { generation: 1, from: at(10), to: at(25 + 9 * index) },
      { generation: 2, from: at(25 + 9 * index), to: at(60) },
    ],
    runs: [
      { from: at(9), to: at(10), isGood: true },
      { from: at(24), to: at(25), isGood: index !== 2 },
    ],
  })),
  commits: [
    { generation: 1, at: at(5) },
    { generation: 2, at: at(22) },
  ],
  holds: [{ from: at(32), to: at(52), reason: `3 of 4 machines: ${HOSTILE}` }],
  said: [
    { at: at(30), line: 'staples: the responder was stopped', tone: undefined },
    { at: at(32), line: `gate: held: ${HOSTILE}`, tone: 'warning' },
  ],
  samples: Array.from({ length: 61 }, (_, second) => ({
    at: at(second),
    tried: second * 40,
    bad: second > 50 ? 1 : 0,
  })),
}
const tries = { tried: 1200, reused: 1200, lost: 0, failed: 0 }
const result: Shown = {
  report: {
    ok: true,
    rotations: 1,
    generation: 2,
    hosts: IDS.map((id) => ({
      id,
      server: 'nginx',
      address: '127.0.0.1:1',
      generation: 2,
      encryptsWith: 'ab'.repeat(16),
    })),
    resumption: { 'TLSv1.2': tries, 'TLSv1.3': tries },
    retired: { tried: 8, accepted: 0 },
    apiCalls: {},
    keyBytesFound: 0,
    staples: {},
  },
  problems: [HOSTILE],
  tally: emptyTally(),
  staples: emptyStapleTally(),
  findings: [],
}

/** What is to be seen, in the words of the page's own document. */
const SEEN = {
  title: 'document.title',
  overflow: 'document.documentElement.scrollWidth - document.documentElement.clientWidth',
  rows: `[...document.querySelectorAll('.chart tr')].map((row) => row.getBoundingClientRect().height > 15)`,
  bars: `[...document.querySelectorAll('.chart rect[class^=g]')].filter((bar) => bar.getBoundingClientRect().width > 20).length`,
  names: `[...document.querySelectorAll('.list th[scope=row]')].map((name) => name.textContent)`,
  strangers: `document.querySelectorAll('script, img, link, iframe, [onerror]').length`,
  words: `document.querySelectorAll('.words')[1].textContent`,
  ground: 'getComputedStyle(document.body).backgroundColor',
}

/** Debian alone has it as a package. */
const hasBrowser = spawnSync('chromium-headless-shell', ['--version']).status === 0

describe.runIf(hasBrowser)('the page of a run', () => {
  let browser: Browser
  beforeAll(() => {
    browser = new Browser()
  })
  afterAll(() => browser?.close())

  it.each([1280, 400])(
    'in a browser %i pixels wide shows every row, asks for nothing and overflows nowhere',
    async (width) => {
      const { values, requests, complaints } = await browser.look(pageOf(result, history), { width }, SEEN)
      expect(complaints).toEqual([])
      expect(requests).toEqual([expect.stringMatching(/^file:\/\/.*\/page\.html$/)])
      expect(values).toMatchObject({ title: 'ticketring rehearsal: OK', overflow: 0, strangers: 0, bars: 8 })
      // The ring, the gate, the machines, the staples, the clients and the seconds.
      expect(values.rows).toEqual(Array.from({ length: 5 + IDS.length }, () => true))
      expect(values.names).toEqual([...IDS, 'TLSv1.2', 'TLSv1.3'])
      expect(values.words).toContain('held from 32 s to 52 s: 3 of 4 machines')
    },
  )

  it('is dark where its reader wants it so', async () => {
    const grounds = []
    for (const dark of [false, true])
      grounds.push((await browser.look(pageOf(result, history), { width: 800, dark }, SEEN)).values.ground)
    expect(grounds).toEqual(['rgb(251, 251, 253)', 'rgb(17, 21, 28)'])
  })
})

describe('the page of a run, as text', () => {
  it('has no style, script or handler that its policy does not name', () => {
    const page = pageOf(result, history)
    expect(page).not.toMatch(/ (style|on[a-z]+)="/)
    expect(page.match(/<style>/g)).toHaveLength(1)
    expect(page).toContain('content="default-src &#39;none&#39;; style-src &#39;sha256-')
  })
})
