import { expect, it } from 'vitest';
import { KpiHistory, sparkline } from './kpis';

const kpi = (second: number, value: number | null) => ({
  name: 'open', value, unit: '1', at: new Date(second * 1000).toISOString(),
});

it('keeps what was seen once, in order, and nothing unknown', () => {
  const history = new KpiHistory();
  for (const row of [kpi(1, 5), kpi(1, 5), kpi(2, null), kpi(3, 7), kpi(2, 6)]) history.add(row);
  expect(history.of('open')).toEqual([{ at: 1000, value: 5 }, { at: 3000, value: 7 }]);
  expect(history.of('other')).toEqual([]);
});

it('draws time from left to right, and a figure that stands still in the middle', () => {
  expect(sparkline([{ at: 0, value: 1 }], 10, 10)).toBe('');
  expect(sparkline([{ at: 0, value: 1 }, { at: 10, value: 3 }], 10, 4)).toBe('0.0,4.0 10.0,0.0');
  expect(sparkline([{ at: 0, value: 2 }, { at: 10, value: 2 }], 10, 4)).toBe('0.0,2.0 10.0,2.0');
});
