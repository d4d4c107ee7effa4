/** A small curve with its gate as a line, in SVG. */

const WIDTH = 240
const HEIGHT = 56
const SVG = 'http://www.w3.org/2000/svg'

/**
 * @param points of the curve, in order
 * @param gate a value that should be reached; null: none
 * @param last the step at the right end; @param most the value at the top; null: as large as what is drawn
 */
export function drawCurve(
  name: string,
  points: [step: number, value: number][],
  gate: number | null,
  last: number,
  most: number | null,
): HTMLElement {
  const values = points.map(([, value]) => value)
  const low = Math.min(0, ...values)
  const high = most ?? Math.max(gate ?? 0, ...values, low + 1e-9)
  const x = (step: number) => (WIDTH * step) / Math.max(last, 1)
  const y = (value: number) => HEIGHT - 2 - ((HEIGHT - 4) * (value - low)) / (high - low)
  const figure = document.createElement('figure')
  const caption = document.createElement('figcaption')
  const now = values[values.length - 1]
  const goal = gate === null ? '' : `, gate ${figures(gate)}`
  caption.textContent = `${name} ${figures(now)}${goal}`
  const picture = element('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img', 'aria-label': caption.textContent })
  if (gate !== null) picture.append(element('line', { class: 'gate', x1: 0, x2: WIDTH, y1: y(gate), y2: y(gate) }))
  const path = points.map(([step, value]) => `${x(step).toFixed(1)},${y(value).toFixed(1)}`).join(' ')
  picture.append(element('polyline', { points: path }))
  const [step, value] = points[points.length - 1]
  picture.append(element('circle', { cx: x(step), cy: y(value), r: 2.5 }))
  figure.append(caption, picture)
  return figure
}

function element(kind: string, attributes: Record<string, string | number>): SVGElement {
  const made = document.createElementNS(SVG, kind) as SVGElement
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value))
  return made
}

const figures = (value: number): string => (Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(2))
