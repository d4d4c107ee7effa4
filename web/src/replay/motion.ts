/** Unpacks what `mesozoic/page/motion.py` packed: columns of 16-bit steps, low bytes first, then high bytes. */
import type { EpisodeData, Track } from './parcel.ts'

/** All poses of a track, [poses * nq]. */
export function unpackPoses(track: Track, bytes: Uint8Array): Float64Array {
  const { poses, first, unit, at } = track
  const nq = first.length
  const half = nq * (poses - 1)
  if (at + 2 * half > bytes.length) throw new Error('the episodes in this file are cut off; write it again')
  const qpos = new Float64Array(poses * nq)
  for (let column = 0; column < nq; column++) {
    let whole = 0
    qpos[column] = first[column]
    for (let pose = 1; pose < poses; pose++) {
      const i = at + column * (poses - 1) + pose - 1
      whole += ((bytes[i] | (bytes[half + i] << 8)) << 16) >> 16
      qpos[pose * nq + column] = first[column] + whole * unit[column]
    }
  }
  return qpos
}

/** Which foot bears load in which step, [feet][steps] of 0 and 1. */
export function unpackFeet(episode: EpisodeData, bytes: Uint8Array): Uint8Array[] {
  const steps = episode.poses - 1
  const begin = episode.at + 2 * episode.first.length * steps
  return episode.feet.map((_, foot) => bytes.subarray(begin + foot * steps, begin + (foot + 1) * steps))
}
