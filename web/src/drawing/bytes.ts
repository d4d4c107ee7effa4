/** Bytes that were written as text: base64, and gzip in base64. */

export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  const raw = atob(text)
  const bytes = new Uint8Array(raw.length)
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i)
  return bytes
}

export function floats(base64: string): Float32Array {
  return new Float32Array(fromBase64(base64).buffer)
}

export async function gunzip(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'))
  return new Uint8Array(await new Response(stream).arrayBuffer())
}

/** The contents of a `<script type="text/plain" id=...>`, gzip in base64. */
export async function embedded(id: string): Promise<Uint8Array<ArrayBuffer>> {
  const element = document.getElementById(id)
  if (!element?.textContent) throw new Error(`this file is not complete: its part "${id}" is missing`)
  return gunzip(fromBase64(element.textContent.trim()))
}

export async function embeddedJson(id: string): Promise<unknown> {
  return JSON.parse(new TextDecoder().decode(await embedded(id)))
}
