/** Real time in, control steps out: pure, so that it can be tested without waiting. */

/** What a page was away for longer than this is left out, seconds. */
export const LONGEST = 0.25

export class Clock {
  paused = false
  speed = 1
  /** Seconds that were left out because the page could not keep up. */
  dropped = 0
  private left = 0

  constructor(private readonly dt: number) {}

  /** Control steps to take, after so many seconds on the wall since the last call. */
  advance(elapsed: number): number {
    if (this.paused) return 0
    const counted = Math.min(Math.max(elapsed, 0), LONGEST)
    this.dropped += Math.max(elapsed - counted, 0)
    this.left += counted * this.speed
    const steps = Math.floor(this.left / this.dt + 1e-9)
    this.left = Math.max(0, this.left - steps * this.dt)
    return steps
  }

  /** How much of the next control step has passed, in [0, 1): the picture is that much after the last but one. */
  get share(): number {
    return Math.min(1, this.left / this.dt)
  }

  /** Forget what has passed since the last step: another episode begins. */
  restart(): void {
    this.left = 0
  }
}
