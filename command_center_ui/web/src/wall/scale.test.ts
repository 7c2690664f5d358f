import { expect, it } from 'vitest';
import { ROW_REM, rowRem, rowRemOf } from './scale';

it('gives 28 mm of cap height at six metres', () => {
  // 165 inch video wall, 1080 px high with 16 px a rem: 1.9 mm a pixel
  const rem = rowRem(130, 6, 1080, 16);
  const mmPerPx = (130 * 25.4 * (9 / Math.hypot(16, 9))) / 1080;
  expect(rem * 16 * 0.727 * mmPerPx).toBeCloseTo(27.9, 0);
});

it('never goes below what a laptop needs, nor above what a column holds', () => {
  expect(rowRem(300, 2, 1080, 16)).toBe(ROW_REM);
  expect(rowRem(24, 6, 1080, 16)).toBe(2.6);
});

it('asks the address', () => {
  expect(rowRemOf(new URLSearchParams('diagonal=98&distance=6'), 1080, 16)).toBeGreaterThan(ROW_REM);
  expect(rowRemOf(new URLSearchParams(''), 1080, 16)).toBeNull();
  expect(rowRemOf(new URLSearchParams('diagonal=x&distance=6'), 1080, 16)).toBeNull();
});
