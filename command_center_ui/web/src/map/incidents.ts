/** Incidents on the map, the most urgent on top; what is done rests as an outline. */

import { clockRun, isInHand, isOverdue, isToDo, rank, type Incident } from '../data/incidents';
import { drawMarker, lookId, lookOf, type Look, type Ring } from './marker';
import type { Drawer } from './pictures';
import type { Spot } from './points';

/** What is done leaves the map after this; the feed keeps it for a day. */
const RESTING_MS = 30 * 60_000;

export const drawIncident: Drawer = (id, { palette, rem, ratio }) => {
  const look = lookOf(id);
  return look === null ? null : drawMarker(look, palette, rem, ratio);
};

function ringOf(row: Incident, now: number): Ring {
  if (!isToDo(row)) return 'rest';
  if (isOverdue(row, now)) return 'late';
  if (row.status === 'on_hold') return 'hold';
  return isInHand(row) ? 'hand' : 'none';
}

export function lookOfIncident(row: Incident, now: number): Look {
  const ring = ringOf(row, now);
  const run = clockRun(row, now);
  const steps = ring === 'rest' || run === null ? null : Math.round(run * 8);
  return { category: row.category, priority: row.priority ?? null, ring, run: steps };
}

export function incidentSpots(rows: Iterable<Incident>, now: number): Spot[] {
  const spots: Spot[] = [];
  for (const row of rows) {
    if (row.lat === null || row.lon === null || row.status === 'merged' || row.status === 'rejected') continue;
    const done = !isToDo(row);
    if (done && now - Date.parse(row.updated_at) > RESTING_MS) continue;
    spots.push({
      lat: row.lat,
      lon: row.lon,
      picture: lookId(lookOfIncident(row, now)),
      rank: done ? -2 : rank(row),
      opacity: done ? 0.6 : 1,
    });
  }
  return spots;
}
