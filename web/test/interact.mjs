/**
 * Plays with the page as people do, in simulated time, and prints what happened as JSON: `node interact.mjs PAGE NAME...`.
 *
 * SHOTS is a folder for pictures, if there should be any.
 */
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { open } from './browser.mjs'

const [file, ...names] = process.argv.slice(2)
const address = (hash) => `${pathToFileURL(file).href}#plain&paused&${hash}`
const heading = (qpos) => 2 * Math.atan2(qpos[6], qpos[3])
const apart = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1])
const LONGEST = 700

/** A page, and what a user does with it. */
async function session(hash, options) {
  const browser = await open(address(hash), options)
  const { page, state } = browser
  const call = (name, ...values) => page.evaluate(([name, values]) => globalThis.mesozoic[name](...values), [name, values])
  return {
    ...browser,
    call,
    shot: async (name) => process.env.SHOTS && page.screenshot({ path: join(process.env.SHOTS, `${name}.png`) }),
    torso: async () => call('project', (await state()).qpos.slice(0, 3)),
    /** Let time pass until something holds, or too long. */
    pass: async (holds) => {
      for (let steps = 0; steps < LONGEST; steps += 5) {
        await call('advance', 5)
        const now = await state()
        if (holds(now)) return now
      }
      return state()
    },
    clean: () => ({ requests: browser.log.requests, said: [...browser.log.console, ...browser.log.errors] }),
  }
}

const scenarios = {
  /** Every stage of every animal: where it is after two seconds, and how its episode ends if it has a goal. */
  async stages() {
    const s = await session('animal=trex&stage=1')
    const found = {}
    for (const animal of ['velociraptor', 'trex', 'brachiosaurus']) {
      for (const stage of [1, 2, 3]) {
        await s.call('choose', animal, stage)
        const start = (await s.state()).qpos
        await s.call('advance', 100)
        const now = await s.state()
        await s.shot(`${animal}-${stage}`)
        const end = stage === 3 ? await s.pass((state) => state.ending !== '') : now
        if (stage === 3) await s.shot(`${animal}-${stage}-end`)
        const moved = apart(start, now.qpos)
        found[`${animal} ${stage}`] = { moved, ending: end.ending, struck: end.struck, proven: now.proven, checked: now.checked.at(-1) }
      }
    }
    const colours = await s.call('colours')
    const result = { found, colours, drawnBy: (await s.state()).work.by, ...s.clean() }
    await s.close()
    return result
  },

  /** A gentle pull moves the torso and lets it stand; a hard one fells it, and the next episode begins. */
  async push() {
    const s = await session('animal=velociraptor&stage=1&episode=2')
    await s.call('advance', 30)
    const before = await s.state()
    const [x, y] = await s.torso()
    await s.page.mouse.move(x, y)
    await s.page.mouse.down()
    await s.page.mouse.move(x + 60, y, { steps: 3 })
    await s.call('advance', 15)
    const pulled = await s.state()
    await s.shot('push')
    await s.page.mouse.up()
    await s.call('advance', 60)
    const after = await s.state()
    const [x2, y2] = await s.torso()
    await s.page.mouse.move(x2, y2)
    await s.page.mouse.down()
    await s.page.mouse.move(x2 + 260, y2, { steps: 3 })
    const fallen = await s.pass((state) => state.ending !== '')
    await s.shot('fall')
    const sentence = await s.page.textContent('#ending')
    await s.page.mouse.up()
    let lowest = Infinity
    await s.call('advance', 60)
    lowest = Math.min(lowest, (await s.state()).lowest)
    await s.shot('down')
    const next = await s.pass((state) => state.begun > fallen.begun)
    const result = {
      drag: pulled.drag,
      force: pulled.force / pulled.trained,
      moved: apart(before.qpos, pulled.qpos),
      touching: pulled.touching,
      after: { ending: after.ending, drag: after.drag, force: after.force },
      fallen: { ending: fallen.ending, sentence, lowest, touching: fallen.touching },
      next: { ending: next.ending, episode: next.episode, begun: next.begun - fallen.begun, touching: next.touching },
      ...s.clean(),
    }
    await s.close()
    return result
  },

  /** The T. rex turns to where its prey is dragged, and bites it there. */
  async lead() {
    const s = await session('animal=trex&stage=3&episode=1')
    await s.call('advance', 10)
    const before = await s.state()
    const { target, qpos } = before
    const [goalX, goalY] = await s.call('project', target)
    const [x] = await s.torso()
    const to = [Math.min(600, Math.max(40, x + 1.5 * (x - goalX))), Math.max(200, goalY)] // to its other side
    await s.page.mouse.move(goalX, goalY)
    await s.page.mouse.down()
    const { drag } = await s.state()
    await s.page.mouse.move(...to, { steps: 4 })
    const led = await s.state()
    const off = apart(await s.call('project', led.target), to)
    await s.page.mouse.up()
    await s.shot('lead')
    const end = await s.pass((state) => state.ending !== '')
    await s.shot('lead-end')
    const bearing = ({ target: at, qpos: from }) => Math.atan2(at[1] - from[1], at[0] - from[0])
    const between = (a, b) => Math.atan2(Math.sin(a - b), Math.cos(a - b))
    const aside = { before: between(bearing(before), heading(qpos)), led: between(bearing(led), heading(qpos)) }
    const turned = between(heading(end.qpos), heading(qpos))
    const result = { drag, off, aside, turned, moved: apart(led.target, target), ending: end.ending, ...s.clean() }
    await s.close()
    return result
  },

  /** Fingers do what the mouse does; two of them go nearer. */
  async touch() {
    const s = await session('animal=velociraptor&stage=1', { touch: true })
    await s.call('advance', 30)
    const before = await s.state()
    const [x, y] = await s.torso()
    const device = await s.context.newCDPSession(s.page)
    const touch = (type, ...touchPoints) => device.send('Input.dispatchTouchEvent', { type, touchPoints })
    await touch('touchStart', { x, y })
    await touch('touchMove', { x: x + 15, y })
    await touch('touchMove', { x: x + 30, y })
    await s.call('advance', 15)
    const pulled = await s.state()
    await touch('touchEnd')
    const let_go = await s.state()
    await touch('touchStart', { x: 100, y: 220 }, { x: 200, y: 220 })
    await touch('touchMove', { x: 60, y: 220 }, { x: 260, y: 220 })
    await touch('touchEnd')
    const result = {
      drag: pulled.drag,
      moved: apart(before.qpos, pulled.qpos),
      after: let_go.drag,
      zoom: (await s.state()).camera.zoom,
      ...s.clean(),
    }
    await s.close()
    return result
  },

  /** Keys and buttons: pause, slow motion, the same episode again, another one; the same seed gives the same bits. */
  async controls() {
    const s = await session('animal=velociraptor&stage=2&seed=5&episode=3')
    const walk = async () => {
      await s.call('begin', 5, 3)
      await s.call('advance', 100)
      return (await s.state()).qpos.join()
    }
    const same = (await walk()) === (await walk())
    await s.page.keyboard.press('s')
    const slow = (await s.state()).speed
    await s.page.keyboard.press('n')
    const next = (await s.state()).episode
    await s.page.fill('#episode', '7')
    await s.page.keyboard.press('Enter')
    await s.page.selectOption('#animal', 'brachiosaurus')
    const chosen = await s.state()
    await s.page.evaluate(() => document.activeElement.blur())
    await s.page.keyboard.press(' ')
    const running = !(await s.state()).paused
    const result = { same, slow, next, chosen: [chosen.animal, chosen.stage, chosen.seed], running, ...s.clean() }
    await s.close()
    return result
  },

  /** Real time: how much time passes in the page while four seconds pass on the wall, and what a step and a frame take. */
  async realtime() {
    const browser = await open(`${pathToFileURL(file).href}#plain&animal=trex&stage=2`)
    await browser.until(() => globalThis.mesozoic.state().steps > 10)
    const [from, began] = [await browser.state(), Date.now()]
    await browser.page.waitForTimeout(4000)
    const [to, seconds] = [await browser.state(), (Date.now() - began) / 1000]
    await browser.close()
    const [steps, frames] = [to.steps - from.steps, to.times.frames - from.times.frames]
    return {
      factor: (steps * 0.02) / seconds,
      dropped: (to.dropped - from.dropped) / seconds,
      framesPerSecond: frames / seconds,
      stepMs: (to.times.step - from.times.step) / steps,
      drawMs: (to.times.draw - from.times.draw) / frames,
    }
  },

  /** What a page says that cannot show its animal. */
  async refuses() {
    const browser = await open(pathToFileURL(file).href)
    const sentence = await browser.page.textContent('#note')
    await browser.close()
    return { sentence, said: browser.log.errors }
  },
}

const results = {}
for (const name of names) results[name] = await scenarios[name]()
console.log(JSON.stringify(results))
