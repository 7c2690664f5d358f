import { expect, it } from 'vitest';
import type { Incident } from './incidents';
import { Latency } from './latency';

const T0 = Date.parse('2026-11-22T10:00:00Z');
const iso = (ms: number): string => new Date(T0 + ms).toISOString();
const row = (receivedMs: number): Incident => ({ received_at: iso(receivedMs) }) as Incident;

it('is the median of reports on their way, not of other changes', () => {
  const latency = new Latency();
  expect(latency.median).toBeNull();
  latency.seen(undefined, row(1000), iso(1300), T0);
  latency.seen(row(1000), row(5000), iso(5500), T0);
  latency.seen(row(5000), row(5000), iso(60_000), T0); // assigned
  latency.seen(undefined, row(-9000), iso(70_000), T0); // came into our scope
  expect(latency.count).toBe(2);
  expect(latency.median).toBe(400);
});

it('forgets all but the last hundred, and cannot be negative', () => {
  const latency = new Latency();
  for (let i = 0; i < 150; i += 1) latency.seen(undefined, row(i), iso(i < 50 ? i + 9999 : i - 5), T0);
  expect(latency.count).toBe(100);
  expect(latency.median).toBe(0);
});
