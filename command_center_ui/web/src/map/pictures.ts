/** Supplies the map with pictures when it first needs them: each layer draws its own, none is fetched. */

import type { Map as MapLibre } from 'maplibre-gl';
import type { Palette } from '../design/palette';

/** What a layer needs to draw: colours, CSS pixels of a rem, device pixels of a CSS pixel. */
export interface Ink {
  palette: Palette;
  rem: number;
  ratio: number;
}

/** Draws the picture of an id, or says with null that it is another layer's. */
export type Drawer = (id: string, ink: Ink) => ImageData | null;

export function supplyPictures(map: MapLibre, ink: Ink, drawers: readonly Drawer[]): void {
  map.setMissingStyleImageResolver((id) => {
    for (const draw of drawers) {
      const picture = draw(id, ink);
      if (picture === null) continue;
      if (!map.hasImage(id)) map.addImage(id, picture, { pixelRatio: ink.ratio });
      return;
    }
  });
}
