/** `window.mesozoic`: what tests, and the curious, ask of the page and do with it. */
import type { Vector } from '../drawing/appearance.ts'
import type { Game } from './game.ts'

export function hookOf(game: Game) {
  return {
    state: () => {
      const { world, clock } = game
      const { qpos, qvel, xpos } = world.engine.data
      const heights = Array.from(xpos as Float64Array).filter((_, i) => i > 2 && i % 3 === 2)
      return {
        animal: world.animal.name,
        stage: world.stage.number,
        seed: world.seed,
        episode: world.number,
        step: world.episode.state.step,
        steps: world.steps,
        begun: world.begun,
        ending: world.ending,
        qpos: Array.from(qpos),
        qvel: Array.from(qvel),
        target: world.episode.state.target,
        struck: world.episode.state.struck,
        drag: game.pointer.drag,
        force: world.hand.strength,
        trained: world.hand.trained,
        touching: world.contact.touching,
        lowest: Math.min(...heights),
        paused: clock.paused,
        speed: clock.speed,
        dropped: clock.dropped,
        swaps: game.follows?.swaps ?? 0,
        proven: game.proven,
        checked: [...game.checked.values()],
        times: game.times,
        work: game.view.work,
        camera: { turn: game.camera.turn, zoom: game.camera.zoom, distance: game.camera.distance },
      }
    },
    /** Take control steps at once and draw the last one. */
    advance: (steps: number) => {
      game.advance(steps)
      game.draw(1)
    },
    begin: (seed: number, number: number) => game.begin(seed, number),
    choose: (animal: string, stage?: number) => game.choose({ animal, stage }),
    pause: (paused: boolean) => game.setSpeed(paused, game.clock.speed),
    project: (point: Vector) => game.view.project(point),
    colours: () => game.view.colours(game.camera),
  }
}
