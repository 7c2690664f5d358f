import { describe, expect, it } from 'vitest';
import { age, clock, date, dateTime, dateTimeNear, number, span } from './format';

const at = Date.parse('2026-11-22T14:05:09+07:00');

describe('times are written as Bekasi writes them', () => {
  it('says the day, the date and WIB', () => {
    expect(dateTime(at, 'id')).toBe('Min, 22 Nov 2026 14.05 WIB');
    expect(dateTime(at, 'en')).toBe('Sun, 22 Nov 2026 14:05 WIB');
  });

  it('is the day of Bekasi, not of Greenwich', () => {
    expect(date(Date.parse('2026-05-31T17:00:00Z'), 'id')).toBe('Sen, 1 Jun 2026');
    expect(clock(Date.parse('2026-05-31T17:00:00Z'), 'id')).toBe('00.00');
  });

  it('leaves the date out today', () => {
    expect(dateTimeNear(at, at + 3_600_000, 'id')).toBe('14.05 WIB');
    expect(dateTimeNear(at, at + 36_000_000, 'id')).toBe('Min, 22 Nov 2026 14.05 WIB');
  });
});

describe('spans are in their largest unit', () => {
  it.each([
    [-5, '0 dtk'],
    [59_999, '59 dtk'],
    [60_000, '1 mnt'],
    [3_599_000, '59 mnt'],
    [47 * 3_600_000, '47 jam'],
    [48 * 3_600_000, '2 hari'],
  ])('%i ms is %s', (ms, text) => {
    expect(span(ms, 'id')).toBe(text);
  });

  it('calls the first half minute just now', () => {
    expect(age(29_000, 'id')).toBe('baru saja');
    expect(age(31_000, 'en')).toBe('31 s');
  });
});

it('numbers have points for thousands and a comma for decimals, in English the other way round', () => {
  expect(number(1234.5, 'id', 1)).toBe('1.234,5');
  expect(number(1234.5, 'en', 1)).toBe('1,234.5');
  expect(number(7, 'id', 1)).toBe('7');
});
