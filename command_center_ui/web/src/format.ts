/** Numbers and times as people here write them: 1.234,5 and `Min, 22 Nov 2026 14.05 WIB`. */

import type { Lang } from './language.svelte';

/** Asia/Jakarta has had no summer time since 1950: seven hours ahead of UTC, all year. */
const WIB_MS = 7 * 3_600_000;

const DAYS: Record<Lang, readonly string[]> = {
  id: ['Min', 'Sen', 'Sel', 'Rab', 'Kam', 'Jum', 'Sab'],
  en: ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'],
};
const MONTHS: Record<Lang, readonly string[]> = {
  id: ['Jan', 'Feb', 'Mar', 'Apr', 'Mei', 'Jun', 'Jul', 'Agu', 'Sep', 'Okt', 'Nov', 'Des'],
  en: ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'],
};
const UNITS: Record<Lang, { second: string; minute: string; hour: string; day: string; now: string }> = {
  id: { second: 'dtk', minute: 'mnt', hour: 'jam', day: 'hari', now: 'baru saja' },
  en: { second: 's', minute: 'min', hour: 'h', day: 'd', now: 'just now' },
};

const two = (value: number): string => String(value).padStart(2, '0');
const inWib = (ms: number): Date => new Date(ms + WIB_MS);

/** `14.05` (Indonesian) or `14:05`; WIB. */
export function clock(ms: number, lang: Lang): string {
  const at = inWib(ms);
  return two(at.getUTCHours()) + (lang === 'id' ? '.' : ':') + two(at.getUTCMinutes());
}

/** `Min, 22 Nov 2026`. */
export function date(ms: number, lang: Lang): string {
  const at = inWib(ms);
  const day = DAYS[lang][at.getUTCDay()] ?? '';
  const month = MONTHS[lang][at.getUTCMonth()] ?? '';
  return `${day}, ${at.getUTCDate()} ${month} ${at.getUTCFullYear()}`;
}

/** `Min, 22 Nov 2026 14.05 WIB`. */
export function dateTime(ms: number, lang: Lang): string {
  return `${date(ms, lang)} ${clock(ms, lang)} WIB`;
}

/** `14.05 WIB` today, the whole date on any other day. */
export function dateTimeNear(ms: number, now: number, lang: Lang): string {
  return date(ms, lang) === date(now, lang) ? `${clock(ms, lang)} WIB` : dateTime(ms, lang);
}

/** A span in its largest unit: `42 dtk`, `3 mnt`, `2 jam`, `5 hari`. Negative spans count as zero. */
export function span(ms: number, lang: Lang): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const unit = UNITS[lang];
  if (seconds < 60) return `${seconds} ${unit.second}`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} ${unit.minute}`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)} ${unit.hour}`;
  return `${Math.floor(seconds / 86_400)} ${unit.day}`;
}

/** How long ago, for a row that is read at a glance; the first half minute is `baru saja`. */
export function age(ms: number, lang: Lang): string {
  return ms < 30_000 ? UNITS[lang].now : span(ms, lang);
}

/** `1.234,5` in Indonesian, `1,234.5` in English, with at most `digits` decimals. */
export function number(value: number, lang: Lang, digits = 0): string {
  return new Intl.NumberFormat(lang === 'id' ? 'id-ID' : 'en-GB', { maximumFractionDigits: digits }).format(value);
}
