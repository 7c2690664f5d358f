/** Draws a marker on a canvas: shape says what, colour how urgent, the ring how far its clock has run and in what state. */

import type { Category, Priority } from '../contract';
import type { Palette } from '../design/palette';
import { SHAPES } from '../design/shapes';

/** `none`: nobody yet. `hand`: an officer is on it. `hold`: paused. `late`: past due. `rest`: done, on its way out. */
export type Ring = 'none' | 'hand' | 'hold' | 'late' | 'rest';

export interface Look {
  category: Category;
  priority: Priority | null;
  ring: Ring;
  /** Eighths of the time to its due time that have run; null when no due time is known. */
  run: number | null;
}

/** Side of the shape in rem. At 6 m a critical one must be twice a low one. */
const SIDE: Record<Priority | 'unknown', number> = { critical: 2.3, high: 1.7, normal: 1.35, low: 1.15, unknown: 1.35 };

export function lookId({ category, priority, ring, run }: Look): string {
  return `incident:${category}:${priority ?? ''}:${ring}:${run ?? ''}`;
}

/** The look that an id stands for; null when it is none of ours. */
export function lookOf(id: string): Look | null {
  const [kind, category, priority, ring, run] = id.split(':');
  if (kind !== 'incident' || category === undefined || !(category in SHAPES)) return null;
  return {
    category: category as Category,
    priority: priority === '' ? null : (priority as Priority),
    ring: ring as Ring,
    run: run === '' ? null : Number(run),
  };
}

/** The picture of a look for `rem` CSS pixels at `ratio` device pixels each. */
export function drawMarker(look: Look, palette: Palette, rem: number, ratio: number): ImageData {
  const side = SIDE[look.priority ?? 'unknown'] * rem;
  const ringWidth = rem * (look.priority === 'critical' ? 0.2 : 0.15);
  const whole = Math.ceil(side * 1.25 + ringWidth * 4 + rem * 0.3);
  const context = canvas(whole, ratio);
  context.translate(whole / 2, whole / 2);
  const colour = look.ring === 'rest' ? palette.low : palette[look.priority ?? 'normal'];
  drawRing(context, look, colour, palette, side * 0.625 + ringWidth * 1.2, ringWidth);
  context.save();
  context.scale(side / 24, side / 24);
  context.translate(-12, -12);
  const { outline, glyph } = SHAPES[look.category];
  const shape = new Path2D(outline);
  context.lineJoin = 'round';
  context.lineWidth = 3;
  context.strokeStyle = palette.ground;
  context.stroke(shape);
  context.fillStyle = look.ring === 'rest' ? palette.surface : colour;
  context.fill(shape);
  if (look.ring === 'rest') {
    context.lineWidth = 1.8;
    context.strokeStyle = colour;
    context.stroke(shape);
  }
  context.fillStyle = look.ring === 'rest' ? colour : palette['on-colour'];
  context.fill(new Path2D(glyph), 'evenodd');
  context.restore();
  return context.getImageData(0, 0, context.canvas.width, context.canvas.height);
}

function drawRing(
  context: CanvasRenderingContext2D, look: Look, colour: string, palette: Palette, radius: number, width: number,
): void {
  if (look.ring === 'rest') return;
  const arc = (from: number, to: number, stroke: string, lineWidth: number, dash: number[] = []): void => {
    context.beginPath();
    context.setLineDash(dash);
    context.arc(0, 0, radius, from, to);
    context.lineWidth = lineWidth;
    context.strokeStyle = stroke;
    context.stroke();
    context.setLineDash([]);
  };
  const turn = Math.PI * 2;
  const top = -Math.PI / 2;
  const step = (turn * radius) / 24;
  arc(0, turn, palette.ground, width * 2.2);
  if (look.ring === 'late') {
    arc(0, turn, colour, width * 1.4);
    return;
  }
  const stroke = look.ring === 'hand' ? palette.good : look.ring === 'hold' ? palette.muted : colour;
  // a clock that nobody knows, or that stands, is dashed
  if (look.run === null || look.ring === 'hold') {
    arc(0, turn, stroke, width * 0.8, [step * 0.8, step * 1.2]);
    return;
  }
  arc(0, turn, palette.edge, width * 0.5);
  if (look.run > 0) arc(top, top + (turn * look.run) / 8, stroke, width * 1.2);
}

/** A blank canvas of `side` CSS pixels, scaled for the device. */
export function canvas(side: number, ratio: number): CanvasRenderingContext2D {
  const element = document.createElement('canvas');
  element.width = element.height = Math.ceil(side * ratio);
  const context = element.getContext('2d', { willReadFrequently: true });
  if (context === null) throw new Error('no 2d canvas');
  context.scale(ratio, ratio);
  return context;
}
