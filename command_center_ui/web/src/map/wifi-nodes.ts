/** Public wifi: a faint hexagon where it works, a crossed one where it does not. */

import type { DeviceState, WifiNodeRow } from '../contract';
import { SHAPES } from '../design/shapes';
import { canvas } from './marker';
import type { Drawer } from './pictures';
import type { Spot } from './points';

export const drawWifiNode: Drawer = (id, { palette, rem, ratio }) => {
  const [kind, state] = id.split(':') as [string, DeviceState | undefined];
  if (kind !== 'wifi' || state === undefined) return null;
  const side = rem * (state === 'up' ? 0.7 : 1.05);
  const context = canvas(side, ratio);
  context.scale(side / 24, side / 24);
  const outline = new Path2D(SHAPES.public_wifi.outline);
  context.fillStyle = palette.surface;
  context.fill(outline);
  context.lineWidth = 3;
  context.strokeStyle = state === 'up' ? palette.low : palette.high;
  if (state === 'suspect') context.setLineDash([4, 3]);
  context.stroke(outline);
  if (state === 'down') {
    context.setLineDash([]);
    context.lineCap = 'round';
    context.stroke(new Path2D('M8.5 8.5l7 7M15.5 8.5l-7 7'));
  }
  return context.getImageData(0, 0, context.canvas.width, context.canvas.height);
};

export function wifiSpots(rows: Iterable<WifiNodeRow>): Spot[] {
  const spots: Spot[] = [];
  for (const { lat, lon, state } of rows) {
    if (lat === null || lon === null) continue;
    const picture = `wifi:${state}`;
    spots.push({ lat, lon, picture, rank: state === 'down' ? 2 : state === 'suspect' ? 1 : 0, opacity: 1 });
  }
  return spots;
}
