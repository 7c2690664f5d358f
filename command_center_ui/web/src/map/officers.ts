/** Officers on the map: who is free, who is busy, and whose position is old. */

import type { OfficerRow } from '../contract';
import { canvas } from './marker';
import type { Drawer } from './pictures';
import type { Spot } from './points';

/** After this a position says where somebody was, not where they are. */
const OLD_MS = 10 * 60_000;

export const drawOfficer: Drawer = (id, { palette, rem, ratio }) => {
  const [kind, status, age] = id.split(':');
  if (kind !== 'officer') return null;
  const side = rem * 1.35;
  const context = canvas(side, ratio);
  context.scale(side / 24, side / 24);
  const colour = status === 'available' ? palette.good : status === 'busy' ? palette.normal : palette.low;
  context.beginPath();
  context.arc(12, 12, 9.2, 0, Math.PI * 2);
  context.fillStyle = palette.surface;
  context.fill();
  if (age === 'old') context.setLineDash([3.2, 2.6]);
  context.lineWidth = 2.4;
  context.strokeStyle = colour;
  context.stroke();
  // head and shoulders; filled when free to be sent, an outline when not
  const person = new Path2D('M12 6.2a2.9 2.9 0 1 1 0 5.8a2.9 2.9 0 1 1 0-5.8zM6.9 17.2c.5-2.8 2.5-4.3 5.1-4.3s4.6 1.5 5.1 4.3z');
  context.setLineDash([]);
  context.fillStyle = colour;
  if (status === 'on_break') {
    context.lineWidth = 1.3;
    context.stroke(person);
  } else {
    context.fill(person);
  }
  return context.getImageData(0, 0, context.canvas.width, context.canvas.height);
};

export function officerSpots(rows: Iterable<OfficerRow>, now: number): Spot[] {
  const spots: Spot[] = [];
  for (const { lat, lon, status, position_at } of rows) {
    if (lat === null || lon === null || status === 'off_duty') continue;
    const old = position_at === null || now - Date.parse(position_at) > OLD_MS;
    spots.push({
      lat,
      lon,
      picture: `officer:${status}:${old ? 'old' : 'here'}`,
      rank: status === 'available' ? 1 : 0,
      opacity: old ? 0.55 : 1,
    });
  }
  return spots;
}
