/** How old what is shown is, end to end. Reckoned by the server's clock; this device's clock is never believed. */

import type { FeedChannel } from './contract';

/** Without newer data for this long a screen says so (contract, section 3). */
export const STALE_MS = 15_000;

/** The server's clock is taken from the fastest push of this long, so that one late push does not set it back. */
const MEMORY_MS = 60_000;

export type Health = 'connecting' | 'current' | 'delayed' | 'disconnected';

export interface FreshnessReport {
  health: Health;
  /** Age of each channel in ms; null while nothing is known. */
  ages: ReadonlyMap<FeedChannel, number | null>;
  /** Age of the oldest channel; null while nothing is known of one. */
  oldest: number | null;
  /** Channels that are too old, when others are not. */
  late: FeedChannel[];
}

/** All times named `tick` are of a clock that only runs forward (`performance.now()`). */
export class Freshness {
  readonly #asOf = new Map<FeedChannel, number | null>();
  readonly #since: number;
  #leads: { tick: number; lead: number }[] = [];

  constructor(channels: readonly FeedChannel[], tick: number) {
    for (const channel of channels) this.#asOf.set(channel, null);
    this.#since = tick;
  }

  /** A push: `at` and `asOf` in ms, `asOf` null when the server does not know yet. */
  heard(channel: FeedChannel, at: number, asOf: number | null, tick: number): void {
    this.#leads = this.#leads.filter((lead) => lead.tick > tick - MEMORY_MS);
    this.#leads.push({ tick, lead: at - tick });
    if (asOf !== null && this.#asOf.has(channel)) this.#asOf.set(channel, asOf);
  }

  /** A channel that is not ours to see does not make the rest old. */
  without(channel: FeedChannel): void {
    this.#asOf.delete(channel);
  }

  /** The server's time in ms; null before the first push. */
  now(tick: number): number | null {
    if (this.#leads.length === 0) return null;
    return tick + Math.max(...this.#leads.map(({ lead }) => lead));
  }

  report(connected: boolean, tick: number): FreshnessReport {
    const now = this.now(tick);
    const ages = new Map<FeedChannel, number | null>();
    for (const [channel, asOf] of this.#asOf) {
      ages.set(channel, asOf === null || now === null ? null : Math.max(0, now - asOf));
    }
    // what never came is as old as the page itself
    const known = [...ages].map(([channel, age]) => ({ channel, age: age ?? tick - this.#since }));
    const late = known.filter(({ age }) => age > STALE_MS).map(({ channel }) => channel);
    const complete = [...ages.values()].every((age) => age !== null);
    return {
      health: health(connected, complete, late.length > 0),
      ages,
      oldest: complete ? Math.max(0, ...known.map(({ age }) => age)) : null,
      late,
    };
  }
}

function health(connected: boolean, complete: boolean, stale: boolean): Health {
  if (stale) return connected ? 'delayed' : 'disconnected';
  return connected && complete ? 'current' : 'connecting';
}
