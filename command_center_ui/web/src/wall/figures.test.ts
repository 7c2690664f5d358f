import { expect, it } from 'vitest';
import { shown } from './figures';

it.each([
  [52, 'count', { value: 52, digits: 0, unit: '' }],
  [0.75, 'share', { value: 75, digits: 0, unit: '%' }],
  [42, 's', { value: 42, digits: 0, unit: 'dtk' }],
  [600, 's', { value: 10, digits: 0, unit: 'mnt' }],
  [9000, 's', { value: 2.5, digits: 1, unit: 'jam' }],
  [3.25, 'km', { value: 3.25, digits: 1, unit: 'km' }],
])('%d %s', (value, unit, expected) => {
  expect(shown(value, unit, 'id')).toEqual(expected);
});
