/** Key figures, and what this page has seen of each so far. */

import type { KpiRow } from '../contract';

export interface Sample {
  at: number;
  value: number;
}

/** An hour of the wall at one figure every 15 s. */
const KEPT = 240;

export class KpiHistory {
  readonly #seen = new Map<string, Sample[]>();

  /** Takes a figure that came, live or not; the same moment twice counts once. */
  add(row: KpiRow): void {
    if (row.value === null) return;
    const at = Date.parse(row.at);
    const samples = this.#seen.get(row.name) ?? [];
    this.#seen.set(row.name, samples);
    const last = samples.at(-1);
    if (last !== undefined && at <= last.at) return;
    samples.push({ at, value: row.value });
    if (samples.length > KEPT) samples.shift();
  }

  of(name: string): readonly Sample[] {
    return this.#seen.get(name) ?? [];
  }
}

/** The samples as points of a polyline in a box of `width` by `height`, time from left to right; empty below two. */
export function sparkline(samples: readonly Sample[], width: number, height: number): string {
  const first = samples[0];
  const last = samples.at(-1);
  if (first === undefined || last === undefined || first.at === last.at) return '';
  const values = samples.map(({ value }) => value);
  const least = Math.min(...values);
  const range = Math.max(...values) - least;
  return samples
    .map(({ at, value }) => {
      const x = ((at - first.at) / (last.at - first.at)) * width;
      const y = range === 0 ? height / 2 : height - ((value - least) / range) * height;
      return `${x.toFixed(1)},${y.toFixed(1)}`;
    })
    .join(' ');
}
