/** One socket to the feed, kept open for ever: tickets, time-outs, reconnecting with jitter; what it says goes to `on`. */

import { ApiError } from './api';
import type { FeedChannel } from './contract';
import { FeedProtocol, type Effect } from './feed-protocol';

const SUBPROTOCOL = 'patriot.feed.v1+json';
/** From opening to the server's word that we are in. */
const ADMISSION_MS = 10_000;
/** The server speaks at least every 5 s; three times that is a dead line, whatever the socket says. */
const SILENCE_MS = 15_000;
const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 15_000;
/** A connection that lived this long was a good one: the next retry is a quick one again. */
const GOOD_MS = 10_000;

export interface FeedOptions {
  name: string;
  channels: readonly FeedChannel[];
  /** Where the feed is; asked before each connection, because a restarted city may be elsewhere. */
  url: () => Promise<string>;
  ticket: () => Promise<string>;
  on: (effect: Effect) => void;
  onConnected: (connected: boolean) => void;
  /** The session is over: no ticket for us any more. The feed has stopped. */
  onSignedOut: () => void;
}

/** Delay before the `attempt`-th retry (0 is the first), half of it by chance so that a thousand walls don't come at once. */
export function retryDelay(attempt: number, chance: number): number {
  return Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(attempt, 10)) * (0.5 + chance / 2);
}

export class Feed {
  readonly #options: FeedOptions;
  readonly #protocol: FeedProtocol;
  #socket: WebSocket | null = null;
  #stopped = false;
  #attempt = 0;
  #openedAt = 0;
  #comeBackMs: number | null = null;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #watchdog: ReturnType<typeof setTimeout> | undefined;
  #renewal: ReturnType<typeof setTimeout> | undefined;

  constructor(options: FeedOptions) {
    this.#options = options;
    this.#protocol = new FeedProtocol(options.name, options.channels);
  }

  start(): void {
    globalThis.addEventListener('online', this.#hurry);
    document.addEventListener('visibilitychange', this.#hurry);
    void this.#connect();
  }

  stop(): void {
    this.#stopped = true;
    globalThis.removeEventListener('online', this.#hurry);
    document.removeEventListener('visibilitychange', this.#hurry);
    clearTimeout(this.#retry);
    this.#hangUp();
  }

  /** The network is back, or somebody looks again: don't wait for the retry's time. */
  readonly #hurry = (): void => {
    if (this.#retry === undefined || document.visibilityState === 'hidden') return;
    clearTimeout(this.#retry);
    void this.#connect();
  };

  async #connect(): Promise<void> {
    this.#retry = undefined;
    try {
      const [url, ticket] = await Promise.all([this.#options.url(), this.#options.ticket()]);
      if (!this.#stopped) this.#open(url, ticket);
    } catch (error) {
      if (error instanceof ApiError && (error.status === 401 || error.status === 403)) this.#signedOut();
      else this.#again(error instanceof ApiError ? error.retryAfterMs : null);
    }
  }

  #signedOut(): void {
    this.stop();
    this.#options.onSignedOut();
  }

  #open(url: string, ticket: string): void {
    const socket = new WebSocket(url, SUBPROTOCOL);
    this.#socket = socket;
    this.#comeBackMs = null;
    this.#guard(ADMISSION_MS);
    socket.onopen = () => this.#do(this.#protocol.open(ticket));
    socket.onmessage = ({ data }: MessageEvent<unknown>) => {
      this.#guard(SILENCE_MS);
      this.#do(typeof data === 'string' ? this.#protocol.receive(data) : [{ kind: 'broken', why: 'binary' }]);
    };
    socket.onclose = () => this.#lost();
  }

  #do(effects: Effect[]): void {
    for (const effect of effects) {
      if (effect.kind === 'send') this.#socket?.send(effect.text);
      else if (effect.kind === 'broken') this.#lost();
      else {
        if (effect.kind === 'admitted') this.#admitted(effect.ttlMs);
        if (effect.kind === 'leaving') this.#comeBackMs = effect.reconnectAfterMs;
        this.#options.on(effect);
      }
    }
  }

  #admitted(ttlMs: number): void {
    if (this.#openedAt === 0) {
      this.#openedAt = performance.now();
      this.#options.onConnected(true);
    }
    clearTimeout(this.#renewal);
    this.#renewal = setTimeout(() => void this.#renew(), ttlMs * 0.8);
  }

  async #renew(): Promise<void> {
    try {
      const ticket = await this.#options.ticket();
      if (this.#socket?.readyState === WebSocket.OPEN) this.#do(this.#protocol.refresh(ticket));
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) this.#signedOut();
      // anything else: the server will close with 4005 in time, and we come back
    }
  }

  #guard(ms: number): void {
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(() => this.#lost(), ms);
  }

  #lost(): void {
    if (this.#openedAt > 0) {
      if (performance.now() - this.#openedAt > GOOD_MS) this.#attempt = 0;
      this.#options.onConnected(false);
    }
    this.#hangUp();
    if (!this.#stopped) this.#again(this.#comeBackMs);
  }

  /** Forgets the socket at once: the closing handshake of a half-open one may take minutes. */
  #hangUp(): void {
    clearTimeout(this.#watchdog);
    clearTimeout(this.#renewal);
    const socket = this.#socket;
    this.#socket = null;
    this.#openedAt = 0;
    if (socket === null) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  #again(hintMs: number | null): void {
    clearTimeout(this.#retry);
    const delay = hintMs ?? retryDelay(this.#attempt, Math.random());
    this.#attempt += 1;
    this.#retry = setTimeout(() => void this.#connect(), delay);
  }
}
