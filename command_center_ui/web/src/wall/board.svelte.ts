/** The board as this wall sees it: rows by channel, freshness, measured latency. One feed behind all of it. */

import type { FeedChannel, KpiRow, OfficerRow, SensorRow, WifiNodeRow } from '../contract';
import { SvelteMap } from 'svelte/reactivity';
import { config } from '../data/config';
import { drawsTheEye, type Incident } from '../data/incidents';
import { KpiHistory } from '../data/kpis';
import { Latency } from '../data/latency';
import { feedTicket } from '../data/session';
import { Feed } from '../feed';
import type { Effect } from '../feed-protocol';
import { Freshness, type FreshnessReport } from '../freshness';

interface Rows {
  incidents: Map<string, Incident>;
  officers: Map<string, OfficerRow>;
  sensors: Map<string, SensorRow>;
  wifi_nodes: Map<string, WifiNodeRow>;
  kpis: Map<string, KpiRow>;
}

/** After this what was new rests. */
const ATTENTION_MS = 10_000;
/** How often what is shown may change: fast enough to be live, slow enough to be read. */
const REDRAW_MS = 250;

export class Board {
  readonly rows: Rows = {
    incidents: new Map(), officers: new Map(), sensors: new Map(), wifi_nodes: new Map(), kpis: new Map(),
  };
  readonly kpiHistory = new KpiHistory();
  readonly latency = new Latency();
  /** Counts the changes of each channel; read it to be told of them. */
  readonly changes = $state<Record<FeedChannel, number>>({ incidents: 0, officers: 0, sensors: 0, wifi_nodes: 0, kpis: 0 });
  /** Freshness, reckoned anew each second. */
  report = $state.raw<FreshnessReport>({ health: 'connecting', ages: new Map(), oldest: null, late: [] });
  /** The server's time in ms, this device's until the server spoke; moves each second. */
  now = $state(Date.now());
  signedOut = $state(false);
  onAttention: (row: Incident) => void = () => undefined;

  /** Incidents that draw the eye, and since when (`performance.now()`). */
  readonly #news = new SvelteMap<string, number>();
  readonly #channels: FeedChannel[];
  readonly #freshness: Freshness;
  readonly #feed: Feed;
  readonly #changed = new Set<FeedChannel>();
  #connected = false;
  /** The server's time of the first live push: what was received before is not news. */
  #watchingSince = Infinity;
  #clock: ReturnType<typeof setInterval> | undefined;
  #redraw: ReturnType<typeof setTimeout> | undefined;

  constructor(readonly asStaff: boolean) {
    this.#channels = ['incidents', 'kpis', ...(asStaff ? (['officers'] as const) : []), 'sensors', 'wifi_nodes'];
    this.#freshness = new Freshness(this.#channels, performance.now());
    this.#feed = new Feed({
      name: 'wall',
      channels: this.#channels,
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

  get channels(): readonly FeedChannel[] {
    return this.#channels;
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
        this.rows[effect.channel].clear();
        for (const { key, data } of effect.rows) this.#upsert(effect.channel, key, data, null);
        this.#note(effect.channel);
        break;
      }
      case 'changes': {
        for (const { key, data, removed } of effect.pubs) {
          if (removed === true) this.rows[effect.channel].delete(key);
          else this.#upsert(effect.channel, key, data, effect.at);
        }
        this.#note(effect.channel);
        break;
      }
      case 'heard': {
        const at = Date.parse(effect.at);
        this.#watchingSince = Math.min(this.#watchingSince, at);
        this.#freshness.heard(effect.channel, at, effect.asOf === null ? null : Date.parse(effect.asOf), performance.now());
        if (this.report.health !== 'current') this.#tick();
        break;
      }
      case 'refused': {
        if (effect.channel !== null) this.#freshness.without(effect.channel);
        break;
      }
      default:
    }
  }

  #upsert(channel: FeedChannel, key: string, data: unknown, at: string | null): void {
    if (channel === 'incidents') this.#incident(key, data as Incident, at);
    else if (channel === 'kpis') {
      this.rows.kpis.set(key, data as KpiRow);
      this.kpiHistory.add(data as KpiRow);
    } else (this.rows[channel] as Map<string, unknown>).set(key, data);
  }

  #incident(key: string, row: Incident, at: string | null): void {
    const before = this.rows.incidents.get(key);
    this.rows.incidents.set(key, row);
    if (at === null) return;
    this.latency.seen(before, row, at, this.#watchingSince);
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
      for (const changed of this.#changed) this.changes[changed] += 1;
      this.#changed.clear();
    }, REDRAW_MS);
  }
}
