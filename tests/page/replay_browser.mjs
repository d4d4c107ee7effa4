/** Drives a replay page: `node replay_browser.mjs PAGE.html` prints what was seen as JSON. */
import { readFileSync, writeFileSync } from 'node:fs'
import { open } from '../../web/test/browser.mjs'

const [file] = process.argv.slice(2)
const page = await open(`file://${file}#plain&paused`, { size: [640, 480] })
const seen = { ...page.log, moments: [] }
for (const seconds of [0, 0.5, 1.98, 3]) {
  await page.page.evaluate((at) => globalThis.mesozoic.seek(at), seconds)
  const { torso } = await page.state()
  seen.moments.push({ seconds, torso })
}
const state = await page.state()
seen.animals = state.animals
seen.colours = await page.page.evaluate(() => globalThis.mesozoic.colours())
await page.page.evaluate(() => globalThis.mesozoic.seek(0))
seen.paused = (await page.state()).seconds
await page.page.keyboard.press('Space')
await page.until(() => globalThis.mesozoic.state().seconds > 0.3)
await page.page.keyboard.press('Space')
seen.played = (await page.state()).seconds
await page.page.evaluate(() => {
  const scrub = document.getElementById('scrub')
  scrub.value = '1000'
  scrub.dispatchEvent(new Event('input'))
})
seen.scrubbed = (await page.state()).seconds
await page.close()

const broken = file.replace('.html', '-broken.html')
writeFileSync(broken, readFileSync(file, 'utf8').replace(/id="parcel">[^<]+</, 'id="parcel">H4sIAAAAAAAAA6uuBQBDv6ajAgAAAA==<'))
const wrong = await open(`file://${broken}#plain&paused`, { size: [640, 480] })
seen.broken = await wrong.page.evaluate(() => globalThis.mesozoicFailed)
await wrong.close()
console.log(JSON.stringify(seen))
