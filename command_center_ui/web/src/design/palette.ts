/** The tokens as plain colours, for canvases that know no style sheet. */

const NAMES = [
  'ground', 'surface', 'raised', 'line', 'edge', 'text', 'muted',
  'critical', 'high', 'normal', 'low', 'good', 'on-colour',
] as const;

export type ColourName = (typeof NAMES)[number];
export type Palette = Record<ColourName, string>;

/** The colours of the theme that is on now, as `rgb(…)`. */
export function palette(): Palette {
  const probe = document.createElement('span');
  document.body.append(probe);
  const entries = NAMES.map((name) => {
    probe.style.color = `var(--${name})`;
    return [name, getComputedStyle(probe).color] as const;
  });
  probe.remove();
  return Object.fromEntries(entries) as Palette;
}
