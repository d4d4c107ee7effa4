/** Starts the replay page, and ties its controls to the player; whatever goes wrong is said in a sentence on it. */
import { embedded, embeddedJson } from '../drawing/bytes.ts'
import { orbit } from './orbit.ts'
import { readReplay } from './parcel.ts'
import type { Replay } from './parcel.ts'
import { Player } from './player.ts'

const SPEEDS = [1, 0.25, 0.1]
const element = <T extends HTMLElement>(id: string): T => document.getElementById(id) as T

async function start(): Promise<void> {
  const [replay, bytes] = await Promise.all([embeddedJson('parcel').then(readReplay), embedded('motion')])
  const given = new URLSearchParams(location.hash.replace(/^#/, ''))
  const list = element<HTMLSelectElement>('episodes')
  const scrub = element<HTMLInputElement>('scrub')
  const player: Player = new Player(
    replay,
    bytes,
    element<HTMLCanvasElement>('view'),
    element<HTMLCanvasElement>('strip'),
    {
      episode: (index) => describe(replay, index),
      moment: (seconds, total, text) => {
        scrub.max = String(Math.round(total * 1000))
        scrub.value = String(Math.round(seconds * 1000))
        scrub.setAttribute('aria-valuetext', `${seconds.toFixed(2)} of ${total.toFixed(2)} seconds`)
        element('figures').textContent = text
      },
      playing: (playing, speed) => {
        element('play').textContent = playing ? 'pause' : 'play'
        element('speed').textContent = speed === 1 ? 'real time' : `1/${Math.round(1 / speed)} speed`
        element('speed').classList.toggle('on', speed !== 1)
      },
    },
    { plain: given.has('plain'), paused: given.has('paused') },
  )
  fillList(list, replay)
  element('title').textContent = replay.title
  element('left').textContent = replay.left_out ? `${replay.left_out} more episodes did not fit into this file.` : ''
  list.addEventListener('change', () => player.choose(Number(list.value)))
  scrub.addEventListener('input', () => {
    player.play(false)
    player.seek(Number(scrub.value) / 1000 / player.episode.dt)
  })
  const actions: Record<string, () => void> = {
    ' ': () => player.play(!player.playing),
    s: () => player.setSpeed(SPEEDS[(SPEEDS.indexOf(player.speed) + 1) % SPEEDS.length]),
    n: () => player.choose(player.index + 1),
    p: () => player.choose(player.index - 1),
    g: () => {
      player.showGhosts(!player.ghosts)
      element('ghosts').classList.toggle('on', player.ghosts)
      player.draw()
    },
    c: () => {
      Object.assign(player.turned, { turn: 0, tilt: 0, zoom: 1 })
      player.resize()
    },
    arrowleft: () => step(player, -1),
    arrowright: () => step(player, 1),
  }
  const buttons = { play: ' ', speed: 's', next: 'n', before: 'p', ghosts: 'g', home: 'c' }
  for (const [id, key] of Object.entries(buttons)) element(id).addEventListener('click', actions[key])
  addEventListener('keydown', (event) => {
    const action = actions[event.key.toLowerCase()]
    if (!action || event.ctrlKey || event.metaKey || event.altKey || event.target instanceof HTMLSelectElement) return
    event.preventDefault()
    action()
  })
  new ResizeObserver(() => player.index >= 0 && player.resize()).observe(element('stage'))
  element('licence').addEventListener('click', (event) => {
    event.preventDefault()
    element<HTMLDialogElement>('about').showModal()
  })
  orbit(player)
  element('panel').hidden = false
  element('note').textContent = ''
  player.view.resize()
  player.choose(Number(given.get('episode') ?? 0) || 0)
  player.setSpeed(1)
  if (given.has('t')) player.seek(Number(given.get('t')) / player.episode.dt || 0)
  Object.assign(globalThis, { mesozoic: hookOf(player) })
  const frame = (time: number) => {
    try {
      player.tick(time)
      requestAnimationFrame(frame)
    } catch (error) {
      explain(error)
    }
  }
  requestAnimationFrame(frame)
}

function step(player: Player, by: number): void {
  player.play(false)
  player.seek(Math.round(player.moment) + by)
}

function fillList(list: HTMLSelectElement, { episodes }: Replay): void {
  const groups = new Map<string, HTMLOptGroupElement>()
  episodes.forEach(({ good, label, why, source }, index) => {
    const name = good ? `${source}: did it` : `${source}: failed`
    let group = groups.get(name)
    if (!group) {
      group = document.createElement('optgroup')
      group.label = name
      groups.set(name, group)
      list.append(group)
    }
    group.append(new Option(`${good ? '\u2713' : '\u2717'} ${label}: ${why}`, String(index)))
  })
}

function describe({ episodes, animals }: Replay, index: number): void {
  const episode = episodes[index]
  element<HTMLSelectElement>('episodes').value = String(index)
  element('what').textContent = `${animals[episode.animal].title}, ${episode.source}, ${episode.label}`
  const ending = element('ending')
  ending.textContent = episode.why
  ending.className = episode.good ? 'good' : 'bad'
  element('provenance').textContent = episode.provenance
  element('ghosts').hidden = episode.ghosts.length === 0
  element('ghosts').title = `other runs of this episode (G): ${episode.ghosts.map((one) => one.name).join(', ')}`
  element('strip').setAttribute('aria-label', `footfalls: ${episode.feet.join(', ') || 'none recorded'}`)
}

/** `window.mesozoic`: what tests ask of the page and do with it. */
function hookOf(player: Player) {
  return {
    state: () => ({
      episode: player.index,
      episodes: player.replay.episodes.length,
      seconds: player.moment * player.episode.dt,
      total: player.steps * player.episode.dt,
      playing: player.playing,
      speed: player.speed,
      ghosts: player.ghosts,
      animals: player.view.animals.length,
      times: player.times,
      work: player.view.work,
      torso: player.view.animals[0].group.children[1].position.toArray(),
    }),
    choose: (index: number) => player.choose(index),
    seek: (seconds: number) => player.seek(seconds / player.episode.dt),
    colours: () => player.view.colours(player.turned),
  }
}

function explain(error: unknown): void {
  const said = error instanceof Error ? error.message : String(error)
  element('note').textContent = `This page cannot go on: ${said}.`
  Object.assign(globalThis, { mesozoicFailed: said })
}

start().catch(explain)
