/** A halo that draws the eye to what is new or has become more urgent, for ten seconds; then it rests. */

import type { Feature, Point } from 'geojson';
import type { GeoJSONSource, Map as MapLibre } from 'maplibre-gl';

export const ATTENTION_MS = 10_000;
/** More at once than this draws the eye nowhere. */
const AT_ONCE = 6;
const FRAME_MS = 60;
/** One widening of the halo. */
const PULSE_MS = 1600;
const ID = 'attention';

interface Halo {
  lat: number;
  lon: number;
  since: number;
}

export class Attention {
  readonly #map: MapLibre;
  readonly #still: boolean;
  #halos: Halo[] = [];
  #timer: ReturnType<typeof setInterval> | undefined;

  /** With `still` the halo does not move. */
  constructor(map: MapLibre, options: { colour: string; rem: number; still: boolean; beneath: string }) {
    const { colour, rem, still, beneath } = options;
    this.#map = map;
    this.#still = still;
    map.addSource(ID, { type: 'geojson', data: { type: 'FeatureCollection', features: [] } });
    map.addLayer(
      {
        id: ID,
        type: 'circle',
        source: ID,
        paint: {
          'circle-radius': ['+', rem * 1.6, ['*', rem * 2.6, ['get', 'phase']]],
          'circle-color': colour,
          'circle-opacity': ['*', 0.18, ['-', 1, ['get', 'phase']]],
          'circle-stroke-color': colour,
          'circle-stroke-width': rem * 0.14,
          'circle-stroke-opacity': ['-', 1, ['get', 'phase']],
        },
      },
      beneath,
    );
  }

  /** Draw the eye to a place, from now on. `tick` is `performance.now()`. */
  draw(lat: number, lon: number, tick: number): void {
    this.#halos = [...this.#halos, { lat, lon, since: tick }].slice(-AT_ONCE);
    this.#timer ??= setInterval(() => this.#frame(performance.now()), this.#still ? 1000 : FRAME_MS);
    this.#frame(tick);
  }

  #frame(tick: number): void {
    this.#halos = this.#halos.filter(({ since }) => tick - since < ATTENTION_MS);
    if (this.#halos.length === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
    const features = this.#halos.map(
      ({ lat, lon, since }): Feature<Point> => ({
        type: 'Feature',
        geometry: { type: 'Point', coordinates: [lon, lat] },
        properties: { phase: this.#still ? 0.3 : ((tick - since) % PULSE_MS) / PULSE_MS },
      }),
    );
    void this.#map.getSource<GeoJSONSource>(ID)?.setData({ type: 'FeatureCollection', features });
  }
}
