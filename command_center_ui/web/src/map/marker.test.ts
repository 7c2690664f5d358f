import { expect, it } from 'vitest';
import { lookId, lookOf, type Look } from './marker';

it('an id says everything a marker shows', () => {
  const looks: Look[] = [
    { category: 'flood', priority: 'critical', ring: 'late', run: 8 },
    { category: 'other', priority: null, ring: 'none', run: null },
  ];
  for (const look of looks) expect(lookOf(lookId(look))).toEqual(look);
  expect(lookOf('officer:busy')).toBeNull();
});
