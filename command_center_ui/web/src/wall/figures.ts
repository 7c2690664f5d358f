/** How a key figure is written: its unit decides digits and sign. */

import type { Lang } from '../language.svelte';

export interface Shown {
  value: number;
  digits: number;
  unit: string;
}

const TIME = {
  s: { id: 'dtk', en: 's' },
  min: { id: 'mnt', en: 'min' },
  h: { id: 'jam', en: 'h' },
} satisfies Record<string, Record<Lang, string>>;

/** `unit` is `count`, `share` (0 to 1) or `s`; another one is shown as it is. */
export function shown(value: number, unit: string, lang: Lang): Shown {
  switch (unit) {
    case 'count': return { value, digits: 0, unit: '' };
    case 'share': return { value: value * 100, digits: 0, unit: '%' };
    case 's': {
      if (value < 120) return { value, digits: 0, unit: TIME.s[lang] };
      if (value < 7200) return { value: value / 60, digits: 0, unit: TIME.min[lang] };
      return { value: value / 3600, digits: 1, unit: TIME.h[lang] };
    }
    default: return { value, digits: 1, unit };
  }
}
