/** How finely the page draws, and when it should draw less finely. */

export interface Quality {
  ratio: number // pixels of the picture for each of the page, at most
  shadow: number // side of the shadow map in pixels; 0: no shadows
  smooth: boolean // edges
  round: number // corners around a sphere
}

/** From the best to what a processor without a graphics card can draw. */
export const LEVELS: Quality[] = [
  { ratio: 2, shadow: 2048, smooth: true, round: 20 },
  { ratio: 1, shadow: 2048, smooth: true, round: 20 },
  { ratio: 0.75, shadow: 1024, smooth: true, round: 20 },
  { ratio: 0.6, shadow: 0, smooth: true, round: 20 },
  { ratio: 0.4, shadow: 0, smooth: true, round: 20 },
]
export const GOOD = LEVELS[0]
/** For pictures that a test looks at: the same everywhere, and quick. */
export const PLAIN: Quality = { ratio: 1, shadow: 0, smooth: false, round: 12 }

const SLOW = 0.034
const PATIENCE = 1
const SETTLE = 0.5

/** Watches how long frames take, and says when to go down a level; it never goes up again, which would flicker. */
export class Pace {
  level = 0
  private slow = 0
  private since = 0

  constructor(private readonly last: number = LEVELS.length - 1) {}

  /** After a frame that took so many seconds; true if the level has changed. */
  frame(seconds: number): boolean {
    this.since += seconds
    if (this.since < SETTLE) return false // a new level needs a moment
    this.slow = seconds > SLOW ? this.slow + seconds : 0
    if (this.slow < PATIENCE || this.level >= this.last) return false
    this.level += 1
    this.slow = this.since = 0
    return true
  }
}
