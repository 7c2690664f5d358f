/** The wall's map: the base and its layers, shown as the board changes. Loaded by itself, since it is large. */

import type { Map as MapLibre } from 'maplibre-gl';
import type { OfficerRow, SensorRow, WifiNodeRow } from '../contract';
import type { Incident } from '../data/incidents';
import { palette as currentPalette } from '../design/palette';
import { Attention } from './attention';
import { boundsOf, showMap, type BaseMap, type Bounds } from './base';
import { drawIncident, incidentSpots } from './incidents';
import { drawOfficer, officerSpots } from './officers';
import { supplyPictures, type Ink } from './pictures';
import { PointLayer } from './points';
import { drawSensor, sensorSpots } from './sensors';
import { drawWifiNode, wifiSpots } from './wifi-nodes';

export type LayerName = 'incidents' | 'officers' | 'sensors' | 'wifi_nodes';

export interface BoardRows {
  incidents: Iterable<Incident>;
  officers: Iterable<OfficerRow>;
  sensors: Iterable<SensorRow>;
  wifi_nodes: Iterable<WifiNodeRow>;
}

export class WallMap {
  readonly #map: MapLibre;
  readonly #home: Bounds;
  readonly #padding: number;
  readonly #layers: Record<LayerName, PointLayer>;
  readonly #attention: Attention;

  private constructor(map: MapLibre, home: Bounds, ink: Ink, padding: number) {
    this.#map = map;
    this.#home = home;
    this.#padding = padding;
    supplyPictures(map, ink, [drawIncident, drawOfficer, drawSensor, drawWifiNode]);
    // in the order of drawing, from the bottom up
    this.#layers = {
      wifi_nodes: new PointLayer(map, 'wifi_nodes'),
      sensors: new PointLayer(map, 'sensors'),
      officers: new PointLayer(map, 'officers'),
      incidents: new PointLayer(map, 'incidents'),
    };
    this.#attention = new Attention(map);
  }

  /** Shows all of Bekasi, or `regency` alone. */
  static async show(
    container: HTMLElement, base: BaseMap, regency: string | null, rem: number, label: string,
  ): Promise<WallMap> {
    const palette = currentPalette();
    const padding = rem * 1.5;
    const bounds = boundsOf(base, regency);
    const map = await showMap({ container, base, bounds, palette, rem, padding, label });
    return new WallMap(map, bounds, { palette, rem, ratio: devicePixelRatio }, padding);
  }

  show<Name extends LayerName>(name: Name, rows: BoardRows[Name], now: number): void {
    this.#layers[name].show(SPOTS[name](rows, now));
  }

  setVisible(name: LayerName, visible: boolean): void {
    this.#layers[name].visible = visible;
  }

  drawTheEye(row: Incident): void {
    if (row.lat !== null && row.lon !== null) this.#attention.draw(row.lat, row.lon);
  }

  zoom(by: number): void {
    this.#map.zoomTo(this.#map.getZoom() + by);
  }

  home(): void {
    this.#map.fitBounds(this.#home, { padding: this.#padding });
  }

  remove(): void {
    this.#map.remove();
  }
}

const SPOTS: { [Name in LayerName]: (rows: BoardRows[Name], now: number) => ReturnType<typeof incidentSpots> } = {
  incidents: incidentSpots,
  officers: officerSpots,
  sensors: sensorSpots,
  wifi_nodes: wifiSpots,
};
