/**
 * Light that adds up. Places are added to a field of intensities, as light adds up on a night photograph;
 * a tone curve turns intensities into colours, tile by tile, only where something changed. What was added
 * can be taken away again, so a place that changes costs as much as a place that arrives.
 */
const TILE_BITS = 7
const TILE = 1 << TILE_BITS

/** Colours for intensities from 0 up, as little-endian RGBA. */
export interface Ink {
  readonly colours: Uint32Array
  /** Steps per unit of intensity. */
  readonly step: number
}

export interface Light {
  /** Adds one round spot: middle and radius in pixels, intensity in its middle (negative takes away). */
  readonly add: (x: number, y: number, radius: number, power: number) => void
  /** Paints changed tiles until `late()`; true when all are painted. */
  readonly paint: (context: CanvasRenderingContext2D, ink: Ink, late: () => boolean) => boolean
  readonly clear: () => void
  /** Paints everything anew with the next ink. */
  readonly touch: () => void
}

export function createLight(width: number, height: number): Light {
  const field = new Float32Array(width * height)
  const across = Math.ceil(width / TILE)
  const tiles = new Uint8Array(across * Math.ceil(height / TILE))
  const image = new ImageData(TILE, TILE)
  const pixels = new Uint32Array(image.data.buffer)

  return {
    add: (x, y, radius, power) => {
      const left = Math.max(0, Math.ceil(x - radius))
      const right = Math.min(width - 1, Math.floor(x + radius))
      const top = Math.max(0, Math.ceil(y - radius))
      const bottom = Math.min(height - 1, Math.floor(y + radius))
      if (!(left <= right && top <= bottom)) return
      const inverse = 1 / (radius * radius)
      for (let py = top; py <= bottom; py++) {
        const rest = 1 - (py - y) * (py - y) * inverse
        for (let px = left, at = py * width + left; px <= right; px++, at++) {
          const fall = rest - (px - x) * (px - x) * inverse
          if (fall > 0) field[at] = (field[at] ?? 0) + power * fall * fall
        }
      }
      for (let ty = top >> TILE_BITS; ty <= bottom >> TILE_BITS; ty++)
        for (let tx = left >> TILE_BITS; tx <= right >> TILE_BITS; tx++) tiles[ty * across + tx] = 1
    },
    paint: (context, { colours, step }, late) => {
      const last = colours.length - 1
      for (let tile = 0; tile < tiles.length; tile++) {
        if (tiles[tile] === 0) continue
        if (late()) return false
        tiles[tile] = 0
        const x0 = (tile % across) * TILE
        const y0 = Math.floor(tile / across) * TILE
        const columns = Math.min(TILE, width - x0)
        const rows = Math.min(TILE, height - y0)
        for (let row = 0; row < rows; row++) {
          const from = (y0 + row) * width + x0
          for (let column = 0; column < columns; column++) {
            const value = ((field[from + column] ?? 0) * step) | 0
            pixels[row * TILE + column] = colours[value < 0 ? 0 : value > last ? last : value] ?? 0
          }
        }
        context.putImageData(image, x0, y0, 0, 0, columns, rows)
      }
      return true
    },
    clear: () => {
      field.fill(0)
      tiles.fill(1)
    },
    touch: () => void tiles.fill(1),
  }
}
