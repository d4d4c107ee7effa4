/** A browser without a screen, a graphics card or a network, for tests: what the page asks for and says is kept. */
import { chromium } from 'playwright-core'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium'
const READY = 60_000
const ARGUMENTS = [
  '--no-sandbox',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--use-angle=swiftshader',
  '--enable-unsafe-swiftshader',
]

/**
 * Open an address and wait until the page has drawn something, or says that it cannot.
 *
 * @param options.ready says, in the page, whether it has drawn; default: by its hook
 * @param options.size [width, height]; options.touch: fingers instead of a mouse; options.arguments: more for the browser
 */
export async function open(address, options = {}) {
  const [width, height] = options.size ?? [640, 360]
  const profile = mkdtempSync(join(tmpdir(), 'browser-'))
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: CHROMIUM,
    headless: true,
    offline: options.offline ?? true,
    viewport: { width, height },
    hasTouch: options.touch ?? false,
    args: [...ARGUMENTS, ...(options.arguments ?? [])],
  })
  const page = context.pages()[0] ?? (await context.newPage())
  const log = { requests: [], console: [], errors: [] }
  page.on('request', (request) => log.requests.push(request.url()))
  page.on('console', (message) => log.console.push(`${message.type()}: ${message.text()}`))
  page.on('pageerror', (error) => log.errors.push(String(error)))
  const began = Date.now()
  await page.goto(address, { waitUntil: 'commit' })
  const drawn = options.ready ?? (() => globalThis.mesozoicFailed !== undefined || globalThis.mesozoic?.state().times.frames > 0)
  await page.waitForFunction(drawn, null, { timeout: READY })
  return {
    page,
    context,
    log,
    readyMs: Date.now() - began,
    state: () => page.evaluate(() => globalThis.mesozoic.state()),
    until: (what, argument) => page.waitForFunction(what, argument, { timeout: READY, polling: 50 }),
    close: async () => {
      await context.close()
      rmSync(profile, { recursive: true, force: true })
    },
  }
}
