/** The board as this wall sees it: rows by channel, freshness, measured latency. One feed behind all of it. */

import { SvelteMap } from 'svelte/reactivity';
import type { FeedChannel, KpiRow, OfficerRow, SensorRow, WifiNodeRow } from '../contract';
import { config } from '../data/config';
import { drawsTheEye, type Incident } from '../data/incidents';
import { KpiHistory } from '../data/kpis';
import { Latency } from '../data/latency';
import { feedTicket } from '../data/session';
import { Feed } from '../feed';
import type { Effect } from '../feed-protocol';
import { Freshness, STALE_MS, type FreshnessReport } from '../freshness';
import { Channel } from './channel.svelte';

/** After this what was new rests. */
const ATTENTION_MS = 10_000;
/** How often what is shown may change: fast enough to be live, slow enough to be read. */
const REDRAW_MS = 250;

export class Board {
  readonly incidents = new Channel<Incident>();
  readonly officers = new Channel<OfficerRow>();
  readonly sensors = new Channel<SensorRow>();
  readonly wifi_nodes = new Channel<WifiNodeRow>();
  readonly kpis = new Channel<KpiRow>();
  readonly kpiHistory = new KpiHistory();
  /** From a report's arrival in Kafka to this wall, ms. */
  latency = $state.raw<{ median: number | null; count: number }>({ median: null, count: 0 });
  /** Freshness, reckoned anew each second. */
  report = $state.raw<FreshnessReport>({ health: 'connecting', ages: new Map(), oldest: null, late: [] });
  /** The server's time in ms, this device's until the server spoke; moves each second. */
  now = $state(Date.now());
  /** Those that this viewer may see. */
  channels = $state.raw<readonly FeedChannel[]>([]);
  signedOut = $state(false);
  onAttention: (row: Incident) => void = () => undefined;

  /** Incidents that draw the eye, and since when (`performance.now()`). */
  readonly #news = new SvelteMap<string, number>();
  readonly #measured = new Latency();
  readonly #freshness: Freshness;
  readonly #feed: Feed;
  readonly #changed = new Set<FeedChannel>();
  #connected = false;
  /** The server's time of the first live push: what was received before is not news. */
  #watchingSince = Infinity;
  #clock: ReturnType<typeof setInterval> | undefined;
  #redraw: ReturnType<typeof setTimeout> | undefined;

  constructor(readonly asStaff: boolean) {
    this.channels = ['incidents', 'kpis', ...(asStaff ? (['officers'] as const) : []), 'sensors', 'wifi_nodes'];
    this.#freshness = new Freshness(this.channels, performance.now());
    this.#feed = new Feed({
      name: 'wall',
      channels: this.channels,
      url: async () => (await config()).feed_url,
      ticket: () => feedTicket(asStaff),
      on: (effect) => this.#take(effect),
      onConnected: (connected) => {
        this.#connected = connected;
        this.#tick();
      },
      onSignedOut: () => {
        this.signedOut = true;
      },
    });
  }

  start(): void {
    this.#feed.start();
    this.#clock = setInterval(() => this.#tick(), 1000);
    this.#tick();
  }

  stop(): void {
    this.#feed.stop();
    clearInterval(this.#clock);
    clearTimeout(this.#redraw);
  }

  /** Age of a channel in ms; null while nothing is known of it. */
  age(channel: FeedChannel): number | null {
    return this.report.ages.get(channel) ?? null;
  }

  /** Whether a channel is too old to be shown as if it were now. */
  isStale(channel: FeedChannel): boolean {
    const age = this.age(channel);
    return age === null || age > STALE_MS;
  }

  /** Whether an incident came or was escalated in the last ten seconds. */
  isNews(id: string): boolean {
    return this.#news.has(id);
  }

  #tick(): void {
    const tick = performance.now();
    for (const [id, since] of this.#news) if (tick - since > ATTENTION_MS) this.#news.delete(id);
    this.report = this.#freshness.report(this.#connected, tick);
    this.now = this.#freshness.now(tick) ?? Date.now();
  }

  #take(effect: Effect): void {
    switch (effect.kind) {
      case 'reset': {
        this[effect.channel].all.clear();
        for (const { key, data } of effect.rows) this.#upsert(effect.channel, key, data, null);
        this.#note(effect.channel);
        break;
      }
      case 'changes': {
        for (const { key, data, removed } of effect.pubs) {
          if (removed === true) this[effect.channel].all.delete(key);
          else this.#upsert(effect.channel, key, data, effect.at);
        }
        this.#note(effect.channel);
        break;
      }
      case 'heard': {
        const at = Date.parse(effect.at);
        this.#watchingSince = Math.min(this.#watchingSince, at);
        const asOf = effect.asOf === null ? null : Date.parse(effect.asOf);
        this.#freshness.heard(effect.channel, at, asOf, performance.now());
        if (this.report.health !== 'current') this.#tick();
        break;
      }
      case 'refused': {
        if (effect.channel !== null) this.#without(effect.channel);
        break;
      }
      default: // nothing to show
    }
  }

  /** A channel that is not for this viewer's eyes, an executive's say, is no sign of trouble. */
  #without(channel: FeedChannel): void {
    this.#freshness.without(channel);
    this.channels = this.channels.filter((each) => each !== channel);
  }

  #upsert(channel: FeedChannel, key: string, data: unknown, at: string | null): void {
    if (channel === 'incidents') this.#incident(key, data as Incident, at);
    if (channel === 'kpis') this.kpiHistory.add(data as KpiRow);
    (this[channel] as Channel<unknown>).all.set(key, data);
  }

  #incident(key: string, row: Incident, at: string | null): void {
    if (at === null) return;
    const before = this.incidents.all.get(key);
    this.#measured.seen(before, row, at, this.#watchingSince);
    if (drawsTheEye(before, row)) {
      this.#news.set(key, performance.now());
      this.onAttention(row);
    }
  }

  /** Many changes in a moment are one redraw. */
  #note(channel: FeedChannel): void {
    this.#changed.add(channel);
    this.#redraw ??= setTimeout(() => {
      this.#redraw = undefined;
      for (const changed of this.#changed) this[changed].show();
      this.#changed.clear();
      this.latency = { median: this.#measured.median, count: this.#measured.count };
    }, REDRAW_MS);
  }
}
