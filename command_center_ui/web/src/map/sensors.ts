/** Road flow at the sensors: four little bars, the fuller the slower; hatched when nothing is known. */

import type { RoadLevel, SensorRow } from '../contract';
import type { Palette } from '../design/palette';
import { canvas } from './marker';
import type { Drawer } from './pictures';
import type { Spot } from './points';

/** After this a reading says how it was. */
const OLD_MS = 15 * 60_000;

/** Bars that are full, and their colour: told apart by the number too. */
const LEVELS: Record<Exclude<RoadLevel, 'unknown'>, { bars: number; colour: keyof Palette }> = {
  free_flow: { bars: 1, colour: 'good' },
  heavy: { bars: 2, colour: 'good' },
  slow: { bars: 2, colour: 'high' },
  queuing: { bars: 3, colour: 'high' },
  stationary: { bars: 4, colour: 'critical' },
};

export const drawSensor: Drawer = (id, { palette, rem, ratio }) => {
  const [kind, level] = id.split(':') as [string, RoadLevel | undefined];
  if (kind !== 'sensor' || level === undefined) return null;
  const side = rem * 1.3;
  const context = canvas(side, ratio);
  context.scale(side / 24, side / 24);
  context.beginPath();
  context.roundRect(1, 6, 22, 12, 3);
  context.fillStyle = palette.ground;
  context.fill();
  context.lineWidth = 1;
  context.strokeStyle = palette.edge;
  if (level === 'unknown') context.setLineDash([2.5, 2]);
  context.stroke();
  context.setLineDash([]);
  const known = level === 'unknown' ? null : LEVELS[level];
  for (let bar = 0; bar < 4; bar += 1) {
    context.beginPath();
    context.roundRect(3.4 + bar * 4.5, 8.6, 3.2, 6.8, 1);
    context.fillStyle = known !== null && bar < known.bars ? palette[known.colour] : palette.line;
    context.fill();
  }
  return context.getImageData(0, 0, context.canvas.width, context.canvas.height);
};

export function levelNow(row: SensorRow, now: number): RoadLevel {
  return row.state === 'down' || now - Date.parse(row.observed_at) > OLD_MS ? 'unknown' : row.level;
}

export function sensorSpots(rows: Iterable<SensorRow>, now: number): Spot[] {
  const spots: Spot[] = [];
  for (const row of rows) {
    if (row.lat === null || row.lon === null) continue;
    const level = levelNow(row, now);
    spots.push({
      lat: row.lat,
      lon: row.lon,
      picture: `sensor:${level}`,
      rank: level === 'unknown' ? 0 : LEVELS[level].bars,
      opacity: level === 'unknown' ? 0.7 : 1,
    });
  }
  return spots;
}
