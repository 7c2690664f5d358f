/** A layer of pictures at points; what the layers of the wall have in common. An update only calls setData. */

import type { Feature, Point } from 'geojson';
import type { GeoJSONSource, Map as MapLibre } from 'maplibre-gl';

export interface Spot {
  lat: number;
  lon: number;
  /** Id of the picture. */
  picture: string;
  /** Higher ones lie on top. */
  rank: number;
  /** 0 to 1; old data fades. */
  opacity: number;
}

export class PointLayer {
  readonly #map: MapLibre;
  readonly #id: string;

  constructor(map: MapLibre, id: string) {
    this.#map = map;
    this.#id = id;
    map.addSource(id, { type: 'geojson', data: { type: 'FeatureCollection', features: [] } });
    map.addLayer({
      id,
      type: 'symbol',
      source: id,
      layout: {
        'icon-image': ['get', 'picture'],
        'icon-allow-overlap': true,
        'icon-ignore-placement': true,
        'symbol-sort-key': ['get', 'rank'],
      },
      paint: { 'icon-opacity': ['get', 'opacity'] },
    });
  }

  show(spots: readonly Spot[]): void {
    const features = spots.map(
      ({ lat, lon, picture, rank, opacity }): Feature<Point> => ({
        type: 'Feature',
        geometry: { type: 'Point', coordinates: [lon, lat] },
        properties: { picture, rank, opacity },
      }),
    );
    const source = this.#map.getSource<GeoJSONSource>(this.#id);
    void source?.setData({ type: 'FeatureCollection', features });
  }

  set visible(visible: boolean) {
    this.#map.setLayoutProperty(this.#id, 'visibility', visible ? 'visible' : 'none');
  }
}
