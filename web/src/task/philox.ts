/**
 * The samples of an episode: `mesozoic.sim.samples.episode_uniforms`, bit for bit.
 *
 * NumPy's `Philox(key=[seed, stream], counter=[0, 0, episode, world])` counts the first word up before each block; a
 * block is four 64-bit words, and `random(dtype=float32)` takes 24 bits of the low half of each word, then of its high
 * half. The rounds are those of Philox-4x64-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3").
 */

const WORD = (1n << 64n) - 1n
const ROUNDS = 10
const MULTIPLIERS = [0xd2e7470ee14c6c93n, 0xca5a826395121157n]
const KEY_STEPS = [0x9e3779b97f4a7c15n, 0xbb67ae8584caa73bn]

type Block = [bigint, bigint, bigint, bigint]

/** `count` samples of [0, 1), float32. */
export function episodeUniforms(seed: number, stream: number, world: number, episode: number, count: number): Float32Array {
  const samples = new Float32Array(count)
  const key: [bigint, bigint] = [BigInt(seed), BigInt(stream)]
  for (let at = 0, number = 1n; at < count; number++) {
    for (const word of block([number, 0n, BigInt(episode), BigInt(world)], key)) {
      for (const half of [word & 0xffffffffn, word >> 32n]) {
        if (at < count) samples[at++] = (Number(half) >>> 8) / 2 ** 24
      }
    }
  }
  return samples
}

function block(counter: Block, key: [bigint, bigint]): Block {
  let [a, b, c, d] = counter
  let [k, l] = key
  for (let round = 0; round < ROUNDS; round++) {
    const [left, right] = [MULTIPLIERS[0] * a, MULTIPLIERS[1] * c]
    ;[a, b, c, d] = [(right >> 64n) ^ b ^ k, right & WORD, (left >> 64n) ^ d ^ l, left & WORD]
    k = (k + KEY_STEPS[0]) & WORD
    l = (l + KEY_STEPS[1]) & WORD
  }
  return [a, b, c, d]
}
