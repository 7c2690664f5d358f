/** Halos that draw the eye to what is new or has become more urgent, for ten seconds; then the map rests. */

import type { Map as MapLibre } from 'maplibre-gl';
import './attention.css';

export const ATTENTION_MS = 10_000;
/** More at once than this draws the eye nowhere. */
const AT_ONCE = 6;

interface Halo {
  lat: number;
  lon: number;
  element: HTMLElement;
}

/** Elements above the map's canvas: they move without a single redraw of the map, which a 4K wall would feel. */
export class Attention {
  readonly #map: MapLibre;
  readonly #stage: HTMLElement;
  #halos: Halo[] = [];

  constructor(map: MapLibre) {
    this.#map = map;
    this.#stage = document.createElement('div');
    this.#stage.className = 'attention';
    this.#stage.setAttribute('aria-hidden', 'true');
    map.getCanvasContainer().append(this.#stage);
    map.on('move', () => this.#halos.forEach((halo) => this.#place(halo)));
  }

  /** Draw the eye to a place, from now on. */
  draw(lat: number, lon: number): void {
    const halo = { lat, lon, element: document.createElement('span') };
    this.#place(halo);
    this.#stage.append(halo.element);
    this.#halos.push(halo);
    const [oldest] = this.#halos;
    if (oldest !== undefined && this.#halos.length > AT_ONCE) this.#end(oldest);
    setTimeout(() => this.#end(halo), ATTENTION_MS);
  }

  #place({ lat, lon, element }: Halo): void {
    const { x, y } = this.#map.project([lon, lat]);
    element.style.translate = `${x}px ${y}px`;
  }

  #end(halo: Halo): void {
    halo.element.remove();
    this.#halos = this.#halos.filter((other) => other !== halo);
  }
}
