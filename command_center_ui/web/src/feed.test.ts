import { expect, it } from 'vitest';
import { retryDelay } from './feed';

it('retries soon, then later, never later than 15 s, and never all at once', () => {
  expect(retryDelay(0, 1)).toBe(500);
  expect(retryDelay(0, 0)).toBe(250);
  expect(retryDelay(3, 1)).toBe(4000);
  expect(retryDelay(99, 1)).toBe(15_000);
  expect(retryDelay(99, 0)).toBe(7500);
});
