/** The client's side of `patriot.feed.v1+json` without a socket: frames in, frames to send and changes of the board out. */

import type { ChannelPush, FeedChannel, Publication, ServerFrame, StateEntry, StatePush, SubscribeReply } from './contract';

export type Effect =
  | { kind: 'send'; text: string }
  /** The server took our ticket, or a new one; it asks for the next before `ttlMs` have passed. */
  | { kind: 'admitted'; ttlMs: number }
  /** Forget every row of the channel; these are all there are. */
  | { kind: 'reset'; channel: FeedChannel; rows: StateEntry[] }
  /** Upserts and removals in order; `at` is the server's time of a live push, null for what was missed meanwhile. */
  | { kind: 'changes'; channel: FeedChannel; pubs: Publication[]; at: string | null }
  /** A push came, with or without changes. */
  | { kind: 'heard'; channel: FeedChannel; at: string; asOf: string | null }
  | { kind: 'gap'; channel: FeedChannel }
  | { kind: 'refused'; channel: FeedChannel | null; code: string }
  /** The server is about to hang up, and says when to come back. */
  | { kind: 'leaving'; reconnectAfterMs: number | null }
  /** What came is not our protocol: hang up. */
  | { kind: 'broken'; why: string };

interface Position {
  epoch: string;
  offset: number;
}

/** `asked`: a subscription is under way; what still arrives of the one before is not applied. */
type Phase = 'idle' | 'asked' | 'state' | 'live' | 'refused';

interface Channel {
  phase: Phase;
  /** How far the board is; kept over connections, so that the next one asks only for what was missed. */
  position: Position | null;
  /** State that is still arriving: nobody sees it before it is whole. */
  partial: (Position & { rows: StateEntry[] }) | null;
}

export class FeedProtocol {
  readonly #name: string;
  readonly #channels: Map<FeedChannel, Channel>;
  /** Who waits for which reply on this connection. */
  readonly #asked = new Map<number, FeedChannel | 'connect' | 'refresh'>();
  #lastId = 0;

  constructor(name: string, channels: readonly FeedChannel[]) {
    this.#name = name;
    this.#channels = new Map(channels.map((channel) => [channel, { phase: 'idle', position: null, partial: null }]));
  }

  /** A new connection begins: the first frame. What is known of positions stays. */
  open(ticket: string): Effect[] {
    this.#asked.clear();
    for (const channel of this.#channels.values()) {
      channel.phase = 'idle';
      channel.partial = null;
    }
    return [this.#ask('connect', { connect: { ticket, name: this.#name } })];
  }

  /** Stay admitted with a new ticket. */
  refresh(ticket: string): Effect[] {
    return [this.#ask('refresh', { refresh: { ticket } })];
  }

  /** True once every channel has been answered for on this connection. */
  get settled(): boolean {
    return [...this.#channels.values()].every(({ phase }) => phase === 'live' || phase === 'refused');
  }

  receive(text: string): Effect[] {
    const frame = decoded(text);
    if (frame === null) return [{ kind: 'broken', why: 'not a frame' }];
    if (frame.push !== undefined) return this.#pushed(frame.push);
    if (frame.id !== undefined) return this.#replied(frame.id, frame);
    return [{ kind: 'send', text: '{}' }]; // a ping is answered by its like
  }

  #ask(by: FeedChannel | 'connect' | 'refresh', command: object): Effect {
    this.#lastId += 1;
    this.#asked.set(this.#lastId, by);
    return { kind: 'send', text: JSON.stringify({ id: this.#lastId, ...command }) };
  }

  /** Whether a newer subscription to the channel is still to be answered. */
  #isAsked(name: FeedChannel | null): boolean {
    return name !== null && [...this.#asked.values()].includes(name);
  }

  #subscribe(name: FeedChannel, channel: Channel): Effect {
    channel.phase = 'asked';
    channel.partial = null;
    const recover = channel.position === null ? {} : { recover: true, ...channel.position };
    return this.#ask(name, { subscribe: { channel: name, ...recover } });
  }

  #replied(id: number, frame: ServerFrame): Effect[] {
    const by = this.#asked.get(id);
    this.#asked.delete(id);
    if (by === undefined) return [];
    const name = by === 'connect' || by === 'refresh' ? null : by;
    if (frame.error !== undefined) {
      if (this.#isAsked(name)) return []; // about a subscription that a newer one has replaced
      const channel = name === null ? undefined : this.#channels.get(name);
      if (channel !== undefined) channel.phase = 'refused';
      return [{ kind: 'refused', channel: name, code: frame.error.code }];
    }
    if (frame.connect !== undefined) {
      const subscriptions = [...this.#channels].map(([each, channel]) => this.#subscribe(each, channel));
      return [{ kind: 'admitted', ttlMs: frame.connect.ttl * 1000 }, ...subscriptions];
    }
    if (frame.refresh !== undefined) return [{ kind: 'admitted', ttlMs: frame.refresh.ttl * 1000 }];
    if (frame.subscribe !== undefined && name !== null) return this.#subscribed(name, frame.subscribe);
    return [{ kind: 'broken', why: 'a reply without an answer' }];
  }

  #subscribed(name: FeedChannel, reply: SubscribeReply): Effect[] {
    const channel = this.#channels.get(name);
    if (channel === undefined || this.#isAsked(name)) return [];
    if (reply.recovered) {
      const before = channel.position?.offset ?? -1;
      const pubs = (reply.publications ?? []).filter(({ offset }) => offset > before);
      channel.position = { epoch: reply.epoch, offset: reply.offset };
      channel.phase = 'live';
      return pubs.length === 0 ? [] : [{ kind: 'changes', channel: name, pubs, at: null }];
    }
    channel.phase = 'state';
    channel.partial = { epoch: reply.epoch, offset: reply.offset, rows: [] };
    return this.#gather(name, channel, reply.state ?? [], reply.more ?? false);
  }

  #gather(name: FeedChannel, channel: Channel, rows: StateEntry[], more: boolean): Effect[] {
    const { partial } = channel;
    if (partial === null) return [];
    partial.rows.push(...rows);
    if (more) return [];
    channel.position = { epoch: partial.epoch, offset: partial.offset };
    channel.partial = null;
    channel.phase = 'live';
    return [{ kind: 'reset', channel: name, rows: partial.rows }];
  }

  #pushed(push: NonNullable<ServerFrame['push']>): Effect[] {
    if ('disconnect' in push) {
      return [{ kind: 'leaving', reconnectAfterMs: push.disconnect.reconnect_after_ms ?? null }];
    }
    const name = push.channel as FeedChannel;
    const channel = this.#channels.get(name);
    if (channel === undefined) return [];
    return 'state' in push ? this.#statePart(name, channel, push) : this.#live(name, channel, push);
  }

  #statePart(name: FeedChannel, channel: Channel, push: StatePush): Effect[] {
    if (channel.phase !== 'state' || channel.partial?.epoch !== push.epoch) return [];
    return this.#gather(name, channel, push.state, push.more);
  }

  #live(name: FeedChannel, channel: Channel, push: ChannelPush): Effect[] {
    const { position } = channel;
    if (channel.phase !== 'live' || position === null) return [];
    if (push.epoch !== position.epoch || push.since > position.offset) {
      return [{ kind: 'gap', channel: name }, this.#subscribe(name, channel)];
    }
    const pubs = push.pubs.filter(({ offset }) => offset > position.offset);
    position.offset = Math.max(position.offset, push.offset);
    const heard: Effect = { kind: 'heard', channel: name, at: push.at, asOf: push.as_of ?? null };
    return pubs.length === 0 ? [heard] : [{ kind: 'changes', channel: name, pubs, at: push.at }, heard];
  }
}

function decoded(text: string): ServerFrame | null {
  try {
    const frame = JSON.parse(text) as unknown;
    return typeof frame === 'object' && frame !== null && !Array.isArray(frame) ? frame : null;
  } catch {
    return null;
  }
}
