import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'

type Message = {
  readonly id?: number
  readonly method?: string
  readonly params?: Readonly<Record<string, unknown>>
  readonly result?: Readonly<Record<string, unknown>>
  readonly error?: { readonly message: string }
}

/** What a page came to in a browser of this width. */
export interface Look {
  /** What an expression gave in the page. */
  readonly values: Readonly<Record<string, unknown>>
  /** Every address that was asked for. */
  readonly requests: readonly string[]
  /** What the console and the browser's own log said. */
  readonly complaints: readonly string[]
  /** PNG. */
  readonly picture: Buffer
}

/** Resolves no name, so that it could ask for nothing but what is on this machine; as root only without its sandbox. */
const FLAGS = [
  '--headless',
  '--remote-debugging-pipe',
  '--no-first-run',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--disable-background-networking',
  '--disable-component-update',
  '--host-resolver-rules=MAP * ~NOTFOUND',
  ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
]

/** A browser that is told what to do by its DevTools protocol, through a pipe. */
export class Browser {
  readonly #folder = mkdtempSync(join(tmpdir(), 'ticketring-browser-'))
  readonly #process
  readonly #waiting = new Map<number, (message: Message) => void>()
  #events: (message: Message) => void = () => {}
  #sent = 0

  constructor() {
    const words = [...FLAGS, `--user-data-dir=${this.#folder}`, 'about:blank']
    const env = { PATH: process.env.PATH, HOME: this.#folder }
    const stdio = ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] as const
    this.#process = spawn('chromium-headless-shell', words, { env, stdio: [...stdio] })
    let rest = ''
    const said = this.#process.stdio[4] as Readable
    said.setEncoding('utf8').on('data', (text: string) => {
      const messages = (rest + text).split('\0')
      rest = messages.pop() ?? ''
      for (const message of messages) this.#receive(JSON.parse(message))
    })
  }

  async close(): Promise<void> {
    const gone = once(this.#process, 'exit')
    this.#process.kill('SIGKILL')
    await gone
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 })
  }

  /** Opens a page of this text, and evaluates expressions in it. */
  async look(
    page: string,
    { width, dark = false }: { readonly width: number; readonly dark?: boolean },
    expressions: Readonly<Record<string, string>>,
  ): Promise<Look> {
    const file = join(this.#folder, 'page.html')
    writeFileSync(file, page)
    const [requests, complaints]: [string[], string[]] = [[], []]
    const { targetId } = await this.#send('Target.createTarget', { url: 'about:blank' })
    const { sessionId } = await this.#send('Target.attachToTarget', { targetId, flatten: true })
    const tell = (method: string, params: object = {}) => this.#send(method, params, sessionId as string)
    const loaded = new Promise<void>((resolve) => {
      this.#events = ({ method, params = {} }) => {
        if (method === 'Page.loadEventFired') resolve()
        if (method === 'Network.requestWillBeSent') requests.push((params.request as { url: string }).url)
        if (['Log.entryAdded', 'Runtime.exceptionThrown', 'Runtime.consoleAPICalled'].includes(method ?? ''))
          complaints.push(JSON.stringify(params))
      }
    })
    for (const domain of ['Page', 'Network', 'Log', 'Runtime']) await tell(`${domain}.enable`)
    await tell('Emulation.setDeviceMetricsOverride', {
      width,
      height: 900,
      deviceScaleFactor: 1,
      mobile: false,
    })
    const value = dark ? 'dark' : 'light'
    await tell('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value }] })
    await tell('Page.navigate', { url: `file://${file}` })
    await loaded
    const values: Record<string, unknown> = {}
    for (const [name, expression] of Object.entries(expressions)) {
      const { result } = await tell('Runtime.evaluate', { expression, returnByValue: true })
      values[name] = (result as { readonly value?: unknown }).value
    }
    const { data } = await tell('Page.captureScreenshot', { captureBeyondViewport: true })
    await this.#send('Target.closeTarget', { targetId })
    return { values, requests, complaints, picture: Buffer.from(data as string, 'base64') }
  }

  #receive(message: Message): void {
    const answer = message.id === undefined ? this.#events : this.#waiting.get(message.id)
    answer?.(message)
  }

  async #send(
    method: string,
    params: object,
    sessionId?: string,
  ): Promise<Readonly<Record<string, unknown>>> {
    this.#sent += 1
    const id = this.#sent
    const answered = new Promise<Message>((resolve) => this.#waiting.set(id, resolve))
    const pipe = this.#process.stdio[3] as Writable
    pipe.write(
      `${JSON.stringify({ id, method, params, ...(sessionId === undefined ? {} : { sessionId }) })}\0`,
    )
    const { result, error } = await answered
    if (error !== undefined || result === undefined) throw new Error(`${method}: ${error?.message}`)
    return result
  }
}
