/** The map of Bekasi: kecamatan and their names, drawn by us alone. Everything else is a layer in a file of its own. */

import type { FeatureCollection, MultiPolygon, Polygon, Position } from 'geojson';
import { Map as MapLibre, setWorkerUrl, type StyleSpecification } from 'maplibre-gl';
// the bundler does not see the worker by itself: without this the built pages have an empty map
import workerUrl from 'maplibre-gl/dist/maplibre-gl-worker.mjs?url';
import './base.css';
import { ask } from '../api';
import type { Regency } from '../contract';
import type { Palette } from '../design/palette';

setWorkerUrl(workerUrl);

export interface KecamatanProperties {
  code: string;
  name: string;
  regency_code: Regency;
  label_lat: number;
  label_lon: number;
}

/** The base layer as the server has it; `approximate` when its borders come from centres and areas. */
export interface BaseMap extends FeatureCollection<Polygon | MultiPolygon, KecamatanProperties> {
  approximate?: boolean;
}

export type Bounds = [west: number, south: number, east: number, north: number];

/** The font that the pages have loaded; MapLibre draws labels with it, since no glyphs are to be fetched. */
export const MAP_FONT = 'Inter';

export function fetchBaseMap(url: string): Promise<BaseMap> {
  return ask<BaseMap>(url, { timeoutMs: 20_000, cache: 'default' });
}

/** What holds all kecamatan, or those of one regency. */
export function boundsOf(base: BaseMap, regency: string | null = null): Bounds {
  const chosen = base.features.filter(({ properties }) => properties.regency_code === regency);
  const bounds: Bounds = [Infinity, Infinity, -Infinity, -Infinity];
  const take = (position: Position): void => {
    const [lon = NaN, lat = NaN] = position;
    bounds[0] = Math.min(bounds[0], lon);
    bounds[1] = Math.min(bounds[1], lat);
    bounds[2] = Math.max(bounds[2], lon);
    bounds[3] = Math.max(bounds[3], lat);
  };
  for (const { geometry } of chosen.length > 0 ? chosen : base.features) {
    const polygons = geometry.type === 'Polygon' ? [geometry.coordinates] : geometry.coordinates;
    for (const polygon of polygons) polygon[0]?.forEach(take);
  }
  return bounds;
}

export interface MapOptions {
  container: HTMLElement;
  base: BaseMap;
  /** What is shown at first. */
  bounds: Bounds;
  palette: Palette;
  /** CSS pixels of a rem: labels and lines grow with the wall. */
  rem: number;
  padding: number;
  label: string;
}

/** The map, once its base can be seen. Throws when the device cannot draw it. */
export async function showMap(options: MapOptions): Promise<MapLibre> {
  const { container, base, bounds, palette, rem, padding, label } = options;
  await Promise.all([400, 600].map((weight) => document.fonts.load(`${weight} 16px ${MAP_FONT}`)));
  const map = new MapLibre({
    container,
    style: style(base, palette, rem),
    bounds,
    fitBoundsOptions: { padding },
    minZoom: 8,
    maxZoom: 17,
    attributionControl: false,
    maplibreLogo: false,
    dragRotate: false,
    pitchWithRotate: false,
    touchPitch: false,
    renderWorldCopies: false,
    fadeDuration: 0,
    reduceMotion: matchMedia('(prefers-reduced-motion: reduce)').matches,
  });
  map.touchZoomRotate.disableRotation();
  map.keyboard.disableRotation();
  map.getCanvas().setAttribute('aria-label', label);
  await new Promise<void>((resolve, reject) => {
    map.once('load', () => resolve());
    map.once('error', ({ error }) => reject(new Error('the map cannot be drawn', { cause: error })));
  });
  return map;
}

function style(base: BaseMap, palette: Palette, rem: number): StyleSpecification {
  const labels: FeatureCollection = {
    type: 'FeatureCollection',
    features: base.features.map(({ properties }) => ({
      type: 'Feature',
      properties: { name: properties.name },
      geometry: { type: 'Point', coordinates: [properties.label_lon, properties.label_lat] },
    })),
  };
  return {
    version: 8,
    sources: {
      kecamatan: { type: 'geojson', data: base, tolerance: 0.2 },
      names: { type: 'geojson', data: labels },
    },
    layers: [
      { id: 'ground', type: 'background', paint: { 'background-color': palette.ground } },
      {
        id: 'kecamatan',
        type: 'fill',
        source: 'kecamatan',
        paint: {
          'fill-color': ['match', ['get', 'regency_code'], '32.75', palette.raised, palette.surface],
          'fill-antialias': false,
        },
      },
      {
        id: 'kecamatan-border',
        type: 'line',
        source: 'kecamatan',
        layout: { 'line-join': 'round' },
        paint: { 'line-color': palette.line, 'line-width': rem / 12 },
      },
      {
        id: 'kecamatan-name',
        type: 'symbol',
        source: 'names',
        layout: {
          'text-field': ['get', 'name'],
          'text-font': [MAP_FONT],
          'text-size': ['interpolate', ['linear'], ['zoom'], 9, rem * 0.68, 12, rem * 0.95],
          'text-max-width': 7,
          'text-letter-spacing': 0.02,
        },
        paint: { 'text-color': palette.muted, 'text-halo-color': palette.surface, 'text-halo-width': rem / 12 },
      },
    ],
  };
}
