/** Mouse and fingers on the picture of a replay: drag to look around, two fingers or the wheel to go nearer. */
import type { Player } from './player.ts'

const TURN = 0.3 // degrees a pixel
const NEAREST = 0.3
const FARTHEST = 4

export function orbit(player: Player): void {
  const { canvas } = player.view
  const down = new Map<number, [number, number]>()
  const nearer = (factor: number) => {
    player.turned.zoom = Math.min(FARTHEST, Math.max(NEAREST, player.turned.zoom * factor))
    player.draw()
  }
  canvas.addEventListener('pointerdown', (event) => {
    canvas.setPointerCapture(event.pointerId)
    down.set(event.pointerId, [event.clientX, event.clientY])
  })
  canvas.addEventListener('pointermove', (event) => {
    const before = down.get(event.pointerId)
    if (!before) return
    const now: [number, number] = [event.clientX, event.clientY]
    if (down.size === 2) {
      const other = [...down].find(([id]) => id !== event.pointerId)![1]
      const apart = (point: [number, number]) => Math.hypot(point[0] - other[0], point[1] - other[1])
      nearer(apart(before) / Math.max(1, apart(now)))
    } else {
      player.turned.turn -= (now[0] - before[0]) * TURN
      player.turned.tilt -= (now[1] - before[1]) * TURN
      player.draw()
    }
    down.set(event.pointerId, now)
  })
  for (const kind of ['pointerup', 'pointercancel', 'lostpointercapture'] as const) {
    canvas.addEventListener(kind, (event) => down.delete(event.pointerId))
  }
  canvas.addEventListener(
    'wheel',
    (event) => {
      event.preventDefault()
      nearer(Math.exp(event.deltaY * 0.001))
    },
    { passive: false },
  )
}
