import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

/** Where distributions put Chromium. */
const programs = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

export const chromium = programs.find((path) => existsSync(path))

interface Message {
  readonly id?: number
  readonly method?: string
  readonly params?: Readonly<Record<string, unknown>>
  readonly result?: unknown
  readonly error?: { readonly message: string }
}

/** A Chromium without a window, spoken to by its DevTools protocol, with one page. */
export class Browser {
  readonly #child: ChildProcess
  readonly #folder: string
  readonly #socket: WebSocket
  readonly #waiting = new Map<number, (message: Message) => void>()
  /** What the page wrote to its console as an error, exceptions, and requests that failed or left for elsewhere. */
  readonly complaints: string[] = []
  readonly requests: string[] = []
  #next = 0

  private constructor(child: ChildProcess, folder: string, socket: WebSocket) {
    this.#child = child
    this.#folder = folder
    this.#socket = socket
    socket.addEventListener('message', ({ data }) => this.#hear(JSON.parse(String(data)) as Message))
  }

  static async start(): Promise<Browser> {
    const folder = mkdtempSync(join(tmpdir(), 'plumb-browser-'))
    const quiet = ['--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update']
    const words = ['--headless', '--no-sandbox', '--disable-gpu', ...quiet, '--disable-sync', '--hide-scrollbars']
    const child = spawn(
      chromium!,
      [...words, `--user-data-dir=${folder}`, '--remote-debugging-port=0', 'about:blank'],
      { stdio: 'ignore' },
    )
    const port = await waitFor(
      () => readFileSync(join(folder, 'DevToolsActivePort'), 'utf8').split('\n')[0] || undefined,
    )
    const url = await waitFor(async () => {
      const pages = (await (await fetch(`http://127.0.0.1:${port}/json`)).json()) as {
        type: string
        webSocketDebuggerUrl: string
      }[]
      return pages.find(({ type }) => type === 'page')?.webSocketDebuggerUrl
    })
    const socket = new WebSocket(url)
    await new Promise((resolve, reject) => {
      socket.addEventListener('open', resolve)
      socket.addEventListener('error', reject)
    })
    const browser = new Browser(child, folder, socket)
    for (const domain of ['Page', 'Runtime', 'Network', 'Log']) await browser.send(`${domain}.enable`)
    return browser
  }

  send<T>(method: string, params: Readonly<Record<string, unknown>> = {}): Promise<T> {
    this.#next += 1
    const id = this.#next
    this.#socket.send(JSON.stringify({ id, method, params }))
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, ({ result, error }) =>
        error === undefined ? resolve(result as T) : reject(new Error(`${method}: ${error.message}`)),
      )
    })
  }

  async open(url: string): Promise<void> {
    await this.send('Page.navigate', { url })
  }

  /** A size in CSS pixels, and colours for light or for dark. */
  async look(width: number, height: number, scheme: 'light' | 'dark'): Promise<void> {
    await this.send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: width < 600 })
    await this.send('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: scheme }] })
  }

  /** The value of an expression in the page. */
  async evaluate<T>(expression: string): Promise<T> {
    const asked = { expression, returnByValue: true, awaitPromise: true }
    const { result, exceptionDetails } = await this.send<{
      result: { value: T }
      exceptionDetails?: { exception?: { description?: string } }
    }>('Runtime.evaluate', asked)
    if (exceptionDetails !== undefined) throw new Error(exceptionDetails.exception?.description ?? expression)
    return result.value
  }

  /** Waits until the expression is true in the page; what the page shows is part of the error after 10 s. */
  async until(expression: string): Promise<void> {
    const end = Date.now() + 10_000
    while (!(await this.evaluate<boolean>(`Boolean(${expression})`))) {
      if (Date.now() > end)
        throw new Error(`never: ${expression}\n${await this.evaluate<string>('document.body.innerText')}`)
      await pause(50)
    }
  }

  /** Presses a key as a person does. */
  async press(key: string, code: string, text?: string): Promise<void> {
    const virtual = { Tab: 9, Enter: 13 }[key] ?? 0
    const event = { key, code, windowsVirtualKeyCode: virtual, ...(text === undefined ? {} : { text }) }
    await this.send('Input.dispatchKeyEvent', { type: 'keyDown', ...event })
    await this.send('Input.dispatchKeyEvent', { type: 'keyUp', ...event })
  }

  /** A PNG of what is to be seen. */
  async screenshot(): Promise<Buffer> {
    const { data } = await this.send<{ data: string }>('Page.captureScreenshot', { format: 'png' })
    return Buffer.from(data, 'base64')
  }

  async close(): Promise<void> {
    const gone = new Promise((resolve) => this.#child.once('exit', resolve))
    this.#socket.close()
    this.#child.kill()
    await gone
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 })
  }

  #hear({ id, method, params, ...rest }: Message): void {
    if (id !== undefined) {
      this.#waiting.get(id)?.(rest)
      this.#waiting.delete(id)
    }
    if (method === 'Runtime.exceptionThrown' || method === 'Log.entryAdded')
      this.complaints.push(JSON.stringify(params))
    if (method === 'Network.requestWillBeSent') this.requests.push((params as { request: { url: string } }).request.url)
  }
}

async function waitFor<T>(find: () => T | undefined | Promise<T | undefined>): Promise<T> {
  for (let tries = 0; tries < 400; tries++) {
    try {
      const found = await find()
      if (found !== undefined) return found
    } catch {}
    await pause(50)
  }
  throw new Error('Chromium did not come up in 20 s')
}
