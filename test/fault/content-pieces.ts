/** The content that a killed process saves: pieces that are no chunks. */
export const PIECES = 40
const PIECE_BYTES = 300_000

export function pieceOf(index: number): Uint8Array {
  return Buffer.alloc(PIECE_BYTES, `piece ${index} `)
}

export function allPieces(): Buffer {
  return Buffer.concat(Array.from({ length: PIECES }, (_, i) => pieceOf(i)))
}
