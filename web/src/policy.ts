/** A policy: the observation's normaliser and a network; acts with the mean of its distribution, as `Policy.act` does. */
import { floats } from './drawing/bytes.ts'
import type { PolicyData } from './parcel.ts'
import { clamp } from './task/state.ts'

const ACTIVATIONS: Record<PolicyData['activation'], (x: number) => number> = {
  elu: (x) => (x > 0 ? x : Math.expm1(x)),
  tanh: Math.tanh,
  relu: (x) => Math.max(x, 0),
}
const OUTPUTS: Record<PolicyData['output'], (x: number) => number> = { clip: (x) => clamp(x, -1, 1), tanh: Math.tanh }

export class Policy {
  private readonly mean: Float32Array
  private readonly std: Float32Array
  private readonly layers: { kernel: Float32Array; bias: Float32Array; outputs: number }[]
  private readonly activate: (x: number) => number
  private readonly finish: (x: number) => number

  /**
   * @param clip where normalised observations are cut off
   * @param inputs, outputs sizes of the observation and of the action that it must fit
   */
  constructor(data: PolicyData, private readonly clip: number, inputs: number, outputs: number) {
    this.mean = floats(data.mean)
    this.std = floats(data.std)
    this.layers = data.layers.map((layer) => ({
      kernel: floats(layer.kernel),
      bias: floats(layer.bias),
      outputs: layer.outputs,
    }))
    this.activate = ACTIVATIONS[data.activation]
    this.finish = OUTPUTS[data.output]
    this.check(inputs, outputs)
  }

  /** The action [nu] in [-1, 1] for an observation. */
  act(observation: ArrayLike<number>): Float32Array {
    let x = Float64Array.from(observation, (value, i) =>
      clamp((value - this.mean[i]) / this.std[i], -this.clip, this.clip),
    )
    this.layers.forEach(({ kernel, bias, outputs }, index) => {
      const y = Float64Array.from(bias)
      x.forEach((value, i) => {
        for (let j = 0, at = i * outputs; j < outputs; j++) y[j] += value * kernel[at + j]
      })
      if (index < this.layers.length - 1) for (let j = 0; j < outputs; j++) y[j] = this.activate(y[j])
      x = y
    })
    return Float32Array.from(x, this.finish)
  }

  private check(inputs: number, outputs: number): void {
    let size = inputs
    let fits = this.mean.length === size && this.std.length === size && this.layers.length > 0
    fits &&= this.activate !== undefined && this.finish !== undefined
    for (const layer of this.layers) {
      fits &&= layer.kernel.length === size * layer.outputs && layer.bias.length === layer.outputs
      size = layer.outputs
    }
    if (!fits || size !== outputs) throw new Error('the policy does not fit the animal; give another one')
    const whole = [this.mean, this.std, ...this.layers.flatMap((layer) => [layer.kernel, layer.bias])]
    if (!whole.every((part) => part.every(Number.isFinite))) throw new Error('the policy holds weights that are not numbers')
  }
}
