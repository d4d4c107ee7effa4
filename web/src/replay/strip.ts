/** The footfall strip under the picture: which foot bears load when, pushes, the hit and where the picture is. */
import type { Push } from './parcel.ts'

const LEFT = '#2f6f8f'
const RIGHT = '#c8702a'
const FLIGHT = '#f3c6c4'
const INK = '#2b2622'
const FAINT = '#8b857e'
const PUSH = '#d8302a'
const HIT = '#1f8a2d'
const ROW = 14
const BAR = 9
const HEAD = 15 // pixels above the rows, for pushes and the hit
const AXIS = 16
const RIM = 8

export interface StripData {
  feet: string[]
  loads: Uint8Array[]
  steps: number
  dt: number
  pushes: Push[]
  struck: number | null
}

export class Strip {
  private data: StripData | null = null
  private picture: ImageData | null = null
  private left = 0
  private right = 0
  private ratio = 1

  constructor(private readonly canvas: HTMLCanvasElement, seek: (moment: number) => void) {
    let held = false
    const to = (event: PointerEvent) => seek(this.momentAt(event.clientX))
    canvas.addEventListener('pointerdown', (event) => {
      held = true
      canvas.setPointerCapture(event.pointerId)
      to(event)
    })
    canvas.addEventListener('pointermove', (event) => held && to(event))
    for (const kind of ['pointerup', 'pointercancel'] as const) canvas.addEventListener(kind, () => (held = false))
  }

  show(data: StripData): void {
    this.data = data
    this.resize()
  }

  /** After the page has another width. */
  resize(): void {
    const { data, canvas } = this
    if (!data) return
    this.ratio = globalThis.devicePixelRatio || 1
    const [width, height] = [canvas.clientWidth, HEAD + ROW * data.feet.length + AXIS]
    canvas.style.height = `${height}px`
    canvas.width = Math.max(1, Math.round(width * this.ratio))
    canvas.height = Math.round(height * this.ratio)
    const pen = this.pen()
    pen.font = '11px system-ui, sans-serif'
    this.left = RIM + Math.max(0, ...data.feet.map((name) => pen.measureText(name).width + 8))
    this.right = width - RIM
    this.paint(pen, data, width, height)
    this.picture = pen.getImageData(0, 0, canvas.width, canvas.height)
  }

  /** Mark the moment that the picture shows. */
  mark(moment: number): void {
    const { data, picture } = this
    if (!data || !picture) return
    const pen = this.pen()
    pen.putImageData(picture, 0, 0)
    const x = this.x(moment)
    pen.fillStyle = INK
    pen.fillRect(x - 1, HEAD - 6, 2, ROW * data.feet.length + 9)
    pen.beginPath()
    pen.moveTo(x - 5, HEAD - 11)
    pen.lineTo(x + 5, HEAD - 11)
    pen.lineTo(x, HEAD - 4)
    pen.fill()
  }

  private pen(): CanvasRenderingContext2D {
    const pen = this.canvas.getContext('2d', { willReadFrequently: true })
    if (!pen) throw new Error('this browser does not draw on a canvas; try another one')
    pen.setTransform(this.ratio, 0, 0, this.ratio, 0, 0)
    return pen
  }

  private x(step: number): number {
    return this.left + ((this.right - this.left) * step) / Math.max(1, this.data?.steps ?? 1)
  }

  private momentAt(clientX: number): number {
    const { data } = this
    if (!data) return 0
    const x = clientX - this.canvas.getBoundingClientRect().left
    return Math.max(0, Math.min(data.steps, ((x - this.left) / (this.right - this.left)) * data.steps))
  }

  private paint(pen: CanvasRenderingContext2D, data: StripData, width: number, height: number): void {
    pen.clearRect(0, 0, width, height)
    const bottom = HEAD + ROW * data.feet.length
    pen.textBaseline = 'middle'
    if (data.feet.length > 0) {
      pen.fillStyle = FLIGHT
      for (const [a, b] of runs(data.steps, (step) => data.loads.every((foot) => foot[step] === 0))) {
        pen.fillRect(this.x(a), HEAD, this.x(b) - this.x(a), ROW * data.feet.length)
      }
    }
    data.feet.forEach((name, foot) => {
      const top = HEAD + ROW * foot
      pen.fillStyle = INK
      pen.fillText(name, RIM, top + ROW / 2)
      pen.fillStyle = name.includes('right') ? RIGHT : LEFT
      for (const [a, b] of runs(data.steps, (step) => data.loads[foot][step] === 1)) {
        pen.fillRect(this.x(a), top + (ROW - BAR) / 2, this.x(b) - this.x(a), BAR)
      }
    })
    pen.fillStyle = PUSH
    for (const push of data.pushes) pen.fillRect(this.x(push.from), 2, Math.max(3, this.x(push.to) - this.x(push.from)), 7)
    if (data.struck !== null) {
      pen.fillStyle = HIT
      pen.fillRect(this.x(data.struck) - 1, 2, 2, bottom - 2)
      const late = this.x(data.struck) > this.right - 30
      pen.textAlign = late ? 'right' : 'left'
      pen.fillText('hit', this.x(data.struck) + (late ? -4 : 4), 6)
    }
    this.axis(pen, data, bottom)
  }

  private axis(pen: CanvasRenderingContext2D, data: StripData, bottom: number): void {
    const seconds = data.steps * data.dt
    const every = [0.5, 1, 2, 5, 10, 20, 60].find((step) => (seconds / step) * 44 <= this.right - this.left) ?? 120
    pen.fillStyle = FAINT
    pen.fillRect(this.left, bottom, this.right - this.left, 1)
    pen.textAlign = 'center'
    for (let second = 0; second <= seconds + 1e-9; second += every) {
      pen.fillRect(this.x(second / data.dt), bottom, 1, 3)
      pen.fillText(`${second}${second === 0 ? ' s' : ''}`, this.x(second / data.dt), bottom + 10)
    }
    pen.textAlign = 'left'
  }
}

/** Begin and end of every run of steps for which `holds`. */
function runs(steps: number, holds: (step: number) => boolean): [number, number][] {
  const found: [number, number][] = []
  for (let step = 0, begin = -1; step <= steps; step++) {
    const now = step < steps && holds(step)
    if (now && begin < 0) begin = step
    if (!now && begin >= 0) {
      found.push([begin, step])
      begin = -1
    }
  }
  return found
}
