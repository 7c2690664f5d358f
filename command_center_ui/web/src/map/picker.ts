/** A map to choose a point on: what lies in its middle is the point. */

import type { Position } from 'geojson';
import { palette } from '../design/palette';
import { boundsOf, showMap, type BaseMap } from './base';

export { fetchBaseMap, type BaseMap } from './base';

export interface Picker {
  remove(): void;
}

/** Shows the map and calls `onMove` with its middle, now and whenever it has come to rest. */
export async function showPicker(
  container: HTMLElement,
  base: BaseMap,
  start: { lat: number; lon: number } | null,
  label: string,
  onMove: (lat: number, lon: number) => void,
): Promise<Picker> {
  const map = await showMap({
    container, base, bounds: boundsOf(base), palette: palette(), rem: 16, padding: 8, label,
  });
  if (start !== null) map.jumpTo({ center: [start.lon, start.lat], zoom: 14 });
  const tell = (): void => {
    const { lat, lng } = map.getCenter();
    onMove(lat, lng);
  };
  map.on('moveend', tell);
  tell();
  return { remove: () => map.remove() };
}

/** Name of the kecamatan a point lies in; null outside Bekasi. */
export function kecamatanAt(base: BaseMap, lat: number, lon: number): string | null {
  for (const { geometry, properties } of base.features) {
    const polygons = geometry.type === 'Polygon' ? [geometry.coordinates] : geometry.coordinates;
    if (polygons.some((rings) => rings.filter((ring) => inside(ring, lat, lon)).length % 2 === 1)) return properties.name;
  }
  return null;
}

/** Even-odd rule: whether a line to the east crosses the ring an odd number of times. */
function inside(ring: readonly Position[], lat: number, lon: number): boolean {
  let within = false;
  let [beforeLon = 0, beforeLat = 0] = ring.at(-1) ?? [];
  for (const [ringLon = 0, ringLat = 0] of ring) {
    const crosses = ringLat > lat !== beforeLat > lat;
    if (crosses && lon < ((beforeLon - ringLon) * (lat - ringLat)) / (beforeLat - ringLat) + ringLon) within = !within;
    [beforeLon, beforeLat] = [ringLon, ringLat];
  }
  return within;
}
