/** Report to wall as measured here: `at` − `received_at` of live pushes, the median of the last hundred. */

import type { Incident } from './incidents';

const KEPT = 100;

export class Latency {
  #samples: number[] = [];

  /** A row came live at the server's time `at`. Counts only when a new report made it move. */
  seen(before: Incident | undefined, after: Incident, at: string, watchingSince: number): void {
    if (after.received_at === undefined) return;
    const received = Date.parse(after.received_at);
    // a row that merely entered our scope, or was assigned, is not a report on its way
    const isNews = before?.received_at === undefined ? received >= watchingSince : Date.parse(before.received_at) < received;
    if (!isNews) return;
    this.#samples.push(Math.max(0, Date.parse(at) - received));
    if (this.#samples.length > KEPT) this.#samples.shift();
  }

  get count(): number {
    return this.#samples.length;
  }

  /** In ms; null before the first sample. */
  get median(): number | null {
    const sorted = [...this.#samples].sort((a, b) => a - b);
    const upper = sorted[sorted.length >> 1];
    const lower = sorted[(sorted.length - 1) >> 1];
    return upper === undefined || lower === undefined ? null : (upper + lower) / 2;
  }
}
