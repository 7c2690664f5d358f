/** Shape and glyph of each category, once, for the map's canvas and for the lists alike. Paths in a box of 24 by 24. */

import type { Category } from '../contract';

export interface Shape {
  /** The filled outline, by which a category is told from afar. */
  outline: string;
  /** What is cut out of it, seen from near. */
  glyph: string;
}

const CIRCLE = 'M12 2a10 10 0 1 1 0 20a10 10 0 1 1 0-20z';

export const SHAPES: Record<Category, Shape> = {
  // triangle with a car
  traffic_jam: {
    outline: 'M12 1.6c.7 0 1.3.35 1.65.95l9.1 15.9c.75 1.3-.2 2.95-1.65 2.95H2.9c-1.45 0-2.4-1.65-1.65-2.95l9.1-15.9c.35-.6.95-.95 1.65-.95z',
    glyph: 'M9.2 10.2h5.6l1.3 2.9c.6.1 1 .6 1 1.2v3.2h-1.9v-1.2H8.8v1.2H6.9v-3.2c0-.6.4-1.1 1-1.2zM10 11.4l-.7 1.7h5.4l-.7-1.7zM8.6 14.1a.75.75 0 1 0 0 1.5a.75.75 0 0 0 0-1.5zM15.4 14.1a.75.75 0 1 0 0 1.5a.75.75 0 0 0 0-1.5z',
  },
  // square with a bin
  illegal_dumping: {
    outline: 'M4.5 2.5h15a2 2 0 0 1 2 2v15a2 2 0 0 1-2 2h-15a2 2 0 0 1-2-2v-15a2 2 0 0 1 2-2z',
    glyph: 'M10.2 5.6h3.6l.5 1.1h3v1.6H6.7V6.7h3zM7.6 9.4h8.8l-.7 9H8.3zM10 11v5.8h1.1V11zM12.9 11v5.8H14V11z',
  },
  // diamond with a broken road
  road_damage: {
    outline: 'M10.6 1.6a2 2 0 0 1 2.8 0l9 9a2 2 0 0 1 0 2.8l-9 9a2 2 0 0 1-2.8 0l-9-9a2 2 0 0 1 0-2.8z',
    glyph: 'M9.6 6.2h2.9l-1 3.4 2.3 1.6-1.9 2.6 1.6 4H7.2zM13.6 6.2h1l2.2 11.6h-2l-1.3-3.6 2-3-2.5-1.8z',
  },
  // drop with waves
  flood: {
    outline: 'M12 1.2c.5 0 .9.25 1.2.65 3 4.1 7 8.6 7 12.5a8.2 8.2 0 1 1-16.4 0c0-3.9 4-8.4 7-12.5.3-.4.7-.65 1.2-.65z',
    glyph: 'M6.9 12.4c1.3 0 1.7-.9 2.6-.9s1.3.9 2.5.9 1.6-.9 2.5-.9 1.3.9 2.6.9v1.7c-1.7 0-2.1-.9-2.6-.9s-.9.9-2.5.9-2-.9-2.5-.9-.9.9-2.6.9zM6.9 16.2c1.3 0 1.7-.9 2.6-.9s1.3.9 2.5.9 1.6-.9 2.5-.9 1.3.9 2.6.9v1.7c-1.7 0-2.1-.9-2.6-.9s-.9.9-2.5.9-2-.9-2.5-.9-.9.9-2.6.9z',
  },
  // circle with a lamp
  street_light: {
    outline: CIRCLE,
    glyph: 'M12 5.2a4.7 4.7 0 0 1 2.7 8.55c-.4.3-.6.7-.6 1.15v.4h-4.2v-.4c0-.45-.2-.85-.6-1.15A4.7 4.7 0 0 1 12 5.2zM9.9 16.3h4.2v1.1l-.9 1.3h-2.4l-.9-1.3z',
  },
  // hexagon with waves of wifi
  public_wifi: {
    outline: 'M11 1.9a2 2 0 0 1 2 0l7.2 4.15a2 2 0 0 1 1 1.75v8.4a2 2 0 0 1-1 1.75L13 22.1a2 2 0 0 1-2 0l-7.2-4.15a2 2 0 0 1-1-1.75V7.8a2 2 0 0 1 1-1.75z',
    glyph: 'M12 15.2a1.5 1.5 0 1 1 0 3a1.5 1.5 0 1 1 0-3zM12 11.2c1.6 0 3 .6 4.1 1.6l-1.2 1.3a4.2 4.2 0 0 0-5.8 0l-1.2-1.3c1.1-1 2.5-1.6 4.1-1.6zM12 7.3c2.6 0 5 1 6.8 2.7l-1.2 1.3a8.1 8.1 0 0 0-11.2 0L5.2 10A9.8 9.8 0 0 1 12 7.3z',
  },
  // double circle
  crowding: {
    outline: CIRCLE,
    glyph: 'M12 4.6a7.4 7.4 0 1 1 0 14.8a7.4 7.4 0 1 1 0-14.8zM12 6.4a5.6 5.6 0 1 0 0 11.2a5.6 5.6 0 1 0 0-11.2z',
  },
  // dot
  other: {
    outline: 'M12 4a8 8 0 1 1 0 16a8 8 0 1 1 0-16z',
    glyph: '',
  },
};
