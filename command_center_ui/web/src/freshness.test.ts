import { describe, expect, it } from 'vitest';
import { Freshness, STALE_MS } from './freshness';

const SERVER = 1_800_000_000_000;

function heardAt(tick: number): Freshness {
  const freshness = new Freshness(['incidents', 'kpis'], 0);
  freshness.heard('incidents', SERVER + tick, SERVER + tick - 1000, tick);
  freshness.heard('kpis', SERVER + tick, SERVER + tick - 2000, tick);
  return freshness;
}

describe('a screen says how old it is', () => {
  it('is connecting at first, and disconnected when nothing came for 15 s', () => {
    const freshness = new Freshness(['incidents'], 0);
    expect(freshness.report(false, 1000).health).toBe('connecting');
    expect(freshness.report(true, 1000).health).toBe('connecting');
    expect(freshness.report(false, STALE_MS + 1).health).toBe('disconnected');
    expect(freshness.report(true, STALE_MS + 1).health).toBe('delayed');
  });

  it('is current while every channel is', () => {
    const report = heardAt(5000).report(true, 5500);
    expect(report.health).toBe('current');
    expect(report.ages.get('incidents')).toBe(1500);
    expect(report.oldest).toBe(2500);
  });

  it('is delayed when as_of stands still though pushes go on', () => {
    const freshness = heardAt(5000);
    for (let tick = 10_000; tick <= 25_000; tick += 5000) {
      freshness.heard('incidents', SERVER + tick, SERVER + tick, tick);
      freshness.heard('kpis', SERVER + tick, SERVER + 3000, tick);
    }
    const report = freshness.report(true, 25_000);
    expect(report.health).toBe('delayed');
    expect(report.late).toEqual(['kpis']);
  });

  it('is disconnected when the feed is gone for long enough, and not before', () => {
    const freshness = heardAt(5000);
    expect(freshness.report(false, 10_000).health).toBe('connecting');
    expect(freshness.report(false, 25_000).health).toBe('disconnected');
  });

  it('does not let one late push set the clock back', () => {
    const freshness = heardAt(5000);
    freshness.heard('incidents', SERVER + 5000, SERVER + 5000, 60_000);
    expect(freshness.now(60_000)).toBe(SERVER + 60_000);
    expect(freshness.report(true, 60_000).late).toContain('incidents');
  });

  it('believes the server again after its clock was set back', () => {
    const freshness = heardAt(5000);
    freshness.heard('incidents', SERVER - 7_200_000 + 80_000, SERVER - 7_200_000 + 79_000, 80_000);
    expect(freshness.report(true, 80_000).ages.get('incidents')).toBe(1000);
  });

  it('leaves out a channel that is not ours', () => {
    const freshness = heardAt(5000);
    freshness.without('kpis');
    expect(freshness.report(true, 5500).oldest).toBe(1500);
  });
});
