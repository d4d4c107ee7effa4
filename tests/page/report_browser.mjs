/** Opens a report at two widths: `node report_browser.mjs PAGE.html` prints what was seen as JSON. */
import { open } from '../../web/test/browser.mjs'

const [file] = process.argv.slice(2)
const page = await open(`file://${file}`, { size: [1100, 700], ready: () => document.querySelector('iframe') !== null })
const inside = async () => {
  for (let i = 0; i < 600; i++) {
    for (const frame of page.page.frames()) {
      if (await frame.evaluate(() => globalThis.mesozoic?.state().times.frames > 1)) return frame
    }
    await page.page.waitForTimeout(100)
  }
  throw new Error('the replays were not drawn')
}
const frame = await inside()
const seen = { ...page.log, widths: [] }
const state = await frame.evaluate(() => globalThis.mesozoic.state())
seen.episodes = state.episodes
seen.ghosts = state.animals - 1
seen.colours = await frame.evaluate(() => globalThis.mesozoic.colours())
for (const width of [1100, 380]) {
  await page.page.setViewportSize({ width, height: 700 })
  seen.widths.push(await page.page.evaluate(() => ({ content: document.documentElement.scrollWidth, window: innerWidth })))
}
await page.close()
console.log(JSON.stringify(seen))
