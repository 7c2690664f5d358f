/** How large things are on the wall: by the screen, and by how far away people stand. */

/** Sixteen minutes of arc, the least that can be read at a glance. */
const READABLE = Math.tan((16 / 60) * (Math.PI / 180));
/** Cap height of Inter in parts of its size. */
const CAP_HEIGHT = 0.727;
const MM_PER_INCH = 25.4;
/** Text of the rows in rem unless the wall says how large it is and from where it is read. */
export const ROW_REM = 1.5;
/** Beyond this a row no longer fits its column. */
const LARGEST_ROW_REM = 2.6;

/**
 * Size in rem of the rows' text so that it spans 16 minutes of arc from `distanceM` on a screen of `diagonalInch`.
 * `heightPx` is the screen's height and `remPx` a rem in CSS pixels; a 16:9 screen is assumed.
 */
export function rowRem(diagonalInch: number, distanceM: number, heightPx: number, remPx: number): number {
  const heightMm = diagonalInch * MM_PER_INCH * (9 / Math.hypot(16, 9));
  const capMm = distanceM * 1000 * READABLE;
  const sizePx = (capMm / CAP_HEIGHT) * (heightPx / heightMm);
  return Math.min(LARGEST_ROW_REM, Math.max(ROW_REM, sizePx / remPx));
}

/** The wall's size and distance as written in its address (`?diagonal=98&distance=6`); null where it does not say. */
export function rowRemOf(query: URLSearchParams, heightPx: number, remPx: number): number | null {
  const diagonal = Number(query.get('diagonal'));
  const distance = Number(query.get('distance'));
  return diagonal > 0 && distance > 0 ? rowRem(diagonal, distance, heightPx, remPx) : null;
}
