import { describe, expect, it } from 'vitest';
import type { Publication } from './contract';
import { FeedProtocol, type Effect } from './feed-protocol';

type Sent = { id: number; subscribe?: Record<string, unknown>; connect?: Record<string, unknown> };

const frame = (value: object): string => JSON.stringify(value);
const sent = (effects: Effect[]): Sent[] =>
  effects.flatMap((effect) => (effect.kind === 'send' ? [JSON.parse(effect.text) as Sent] : []));
const others = (effects: Effect[]): Effect[] => effects.filter(({ kind }) => kind !== 'send');
const push = (since: number, offset: number, pubs: Publication[] = [], epoch = 'e1'): string =>
  frame({ push: { channel: 'incidents', epoch, since, offset, at: 'T1', as_of: 'T0', pubs } });

/** A protocol that has been let in and told where `incidents` stands. */
function live(offset = 10): FeedProtocol {
  const protocol = new FeedProtocol('test', ['incidents']);
  const id = subscribing(protocol);
  protocol.receive(frame({ id, subscribe: { epoch: 'e1', offset, recovered: false, state: [], more: false } }));
  return protocol;
}

/** Connects and gives back the subscription that follows. */
function connecting(protocol: FeedProtocol): Sent | undefined {
  const [hello] = sent(protocol.open('ticket'));
  return sent(protocol.receive(frame({ id: hello?.id, connect: { client: 'c', ping: 25, ttl: 900 } })))[0];
}

const subscribing = (protocol: FeedProtocol): number => connecting(protocol)?.id ?? -1;

describe('letting in', () => {
  it('sends the ticket first and subscribes once it was taken', () => {
    const protocol = new FeedProtocol('wall', ['incidents', 'kpis']);
    const [hello] = sent(protocol.open('t-1'));
    expect(hello).toMatchObject({ connect: { ticket: 't-1', name: 'wall' } });
    const effects = protocol.receive(frame({ id: hello?.id, connect: { client: 'c', ping: 25, ttl: 900 } }));
    expect(others(effects)).toEqual([{ kind: 'admitted', ttlMs: 900_000 }]);
    expect(sent(effects).map(({ subscribe }) => subscribe)).toEqual([{ channel: 'incidents' }, { channel: 'kpis' }]);
    expect(protocol.settled).toBe(false);
  });

  it('answers a ping with its like', () => {
    expect(live().receive('{}')).toEqual([{ kind: 'send', text: '{}' }]);
  });

  it('goes on without a channel that is refused', () => {
    const protocol = new FeedProtocol('wall', ['officers']);
    const id = subscribing(protocol);
    const effects = protocol.receive(frame({ id, error: { code: 'unknown_channel', message: '' } }));
    expect(effects).toEqual([{ kind: 'refused', channel: 'officers', code: 'unknown_channel' }]);
    expect(protocol.settled).toBe(true);
  });

  it.each(['', 'nonsense', '[]', '3', 'null'])('calls %j broken', (text) => {
    expect(others(live().receive(text))).toMatchObject([{ kind: 'broken' }]);
  });
});

describe('state', () => {
  it('is shown only when its last part is there', () => {
    const protocol = new FeedProtocol('wall', ['incidents']);
    const id = subscribing(protocol);
    const a = { key: 'a', data: 1 };
    const b = { key: 'b', data: 2 };
    const first = { epoch: 'e1', offset: 5, recovered: false, state: [a], more: true };
    expect(protocol.receive(frame({ id, subscribe: first }))).toEqual([]);
    const last = { channel: 'incidents', epoch: 'e1', state: [b], more: false };
    expect(protocol.receive(frame({ push: last }))).toEqual([{ kind: 'reset', channel: 'incidents', rows: [a, b] }]);
  });

  it('that was cut off half-way is asked for anew, from the position before', () => {
    const protocol = live(10);
    const id = subscribing(protocol);
    const half = { epoch: 'e2', offset: 99, recovered: false, state: [], more: true };
    protocol.receive(frame({ id, subscribe: half }));
    expect(connecting(protocol)?.subscribe).toEqual({ channel: 'incidents', recover: true, epoch: 'e1', offset: 10 });
  });
});

describe('live pushes', () => {
  it('are applied in order and move the position', () => {
    const protocol = live(10);
    const pub = { offset: 12, key: 'a', data: {} };
    expect(protocol.receive(push(10, 12, [pub]))).toEqual([
      { kind: 'changes', channel: 'incidents', pubs: [pub], at: 'T1' },
      { kind: 'heard', channel: 'incidents', at: 'T1', asOf: 'T0' },
    ]);
    expect(protocol.receive(push(12, 12))).toEqual([{ kind: 'heard', channel: 'incidents', at: 'T1', asOf: 'T0' }]);
  });

  it('that overlap are applied once', () => {
    const protocol = live(10);
    const known = { offset: 10, key: 'a', data: {} };
    const fresh = { offset: 11, key: 'b', removed: true };
    expect(protocol.receive(push(8, 11, [known, fresh]))[0]).toMatchObject({ kind: 'changes', pubs: [fresh] });
  });

  it('with a hole before them are not applied: what is missing is asked for', () => {
    const protocol = live(10);
    const effects = protocol.receive(push(11, 12, [{ offset: 12, key: 'a', data: {} }]));
    expect(others(effects)).toEqual([{ kind: 'gap', channel: 'incidents' }]);
    expect(sent(effects)[0]?.subscribe).toEqual({ channel: 'incidents', recover: true, epoch: 'e1', offset: 10 });
    expect(protocol.receive(push(12, 13, [{ offset: 13, key: 'b', data: {} }]))).toEqual([]);
  });

  it('of another epoch are a gap too', () => {
    expect(live(10).receive(push(10, 11, [], 'e2'))[0]).toEqual({ kind: 'gap', channel: 'incidents' });
  });
});

describe('coming back', () => {
  it('asks for what was missed and applies it as missed, not as live', () => {
    const protocol = live(10);
    const id = subscribing(protocol);
    const pubs = [
      { offset: 10, key: 'a', data: {} },
      { offset: 11, key: 'b', data: {} },
    ];
    const effects = protocol.receive(
      frame({ id, subscribe: { epoch: 'e1', offset: 11, recovered: true, publications: pubs } }),
    );
    expect(effects).toEqual([{ kind: 'changes', channel: 'incidents', pubs: [pubs[1]], at: null }]);
    expect(protocol.settled).toBe(true);
    expect(protocol.receive(push(11, 11))).toHaveLength(1);
  });

  it('takes the whole state when the server cannot recover', () => {
    const protocol = live(10);
    const id = subscribing(protocol);
    const state = [{ key: 'z', data: {} }];
    const effects = protocol.receive(frame({ id, subscribe: { epoch: 'e9', offset: 3, recovered: false, state } }));
    expect(effects).toEqual([{ kind: 'reset', channel: 'incidents', rows: state }]);
    expect(protocol.receive(push(3, 4, [], 'e9'))).toHaveLength(1);
  });

  it('hears when to come back', () => {
    const bye = { push: { disconnect: { code: 4001, reason: 'shutdown', reconnect_after_ms: 3120 } } };
    expect(live().receive(frame(bye))).toEqual([{ kind: 'leaving', reconnectAfterMs: 3120 }]);
  });
});

it('any cut of a stream, recovered, gives the same rows as no cut at all', () => {
  const log = Array.from({ length: 60 }, (_, i): Publication => {
    const key = `k${(i * 7) % 11}`;
    return i % 5 === 4 ? { offset: i + 1, key, removed: true } : { offset: i + 1, key, data: i };
  });
  const whole = board(log);
  for (let cut = 0; cut <= log.length; cut += 1) {
    const protocol = live(0);
    const seen: Publication[] = [];
    const take = (effects: Effect[]): void => {
      for (const effect of effects) if (effect.kind === 'changes') seen.push(...effect.pubs);
    };
    take(protocol.receive(push(0, cut, log.slice(0, cut))));
    // some pushes are lost with the connection, the rest comes by recovery
    const id = subscribing(protocol);
    const publications = log.slice(Math.max(0, cut - 2));
    take(
      protocol.receive(frame({ id, subscribe: { epoch: 'e1', offset: log.length, recovered: true, publications } })),
    );
    expect(board(seen)).toEqual(whole);
  }
});

function board(pubs: Publication[]): Map<string, unknown> {
  const rows = new Map<string, unknown>();
  for (const { key, data, removed } of pubs) {
    if (removed === true) rows.delete(key);
    else rows.set(key, data);
  }
  return new Map([...rows].sort());
}
