/** The report while it is being written and sent. Whatever happens to the network, nothing typed is lost. */

import { ApiError } from '../api';
import type { Category, FieldError, ReportDraft, Reporter, ReportReceipt } from '../contract';
import { sendReport } from '../data/reports';
import { newKey } from '../idempotency';
import type { Phrase } from '../language.svelte';
import { prepared } from '../photo';
import { citizen as words, common } from '../words';

export const MOST_PHOTOS = 5;

export interface Photo {
  file: File;
  preview: string;
}

export interface Point {
  lat: number;
  lon: number;
  /** How it was found, for the sentence that says so. */
  how: 'device' | 'map';
  accuracyM: number | null;
}

export type Trouble = { phrase: Phrase; again: boolean; field: Field | null };
export type Field = 'photos' | 'place' | 'description' | 'phone' | 'email';
/** The screen a field is on. */
export const STEP_OF: Record<Field, number> = { photos: 1, place: 2, description: 3, phone: 3, email: 3 };

export class Draft {
  photos = $state<Photo[]>([]);
  point = $state<Point | null>(null);
  address = $state('');
  description = $state('');
  category = $state<Category | null>(null);
  reporter = $state<Reporter>({});
  sending = $state(false);
  trouble = $state<Trouble | null>(null);
  /** Moment (`Date.now()`) before which the server does not want to be asked again. */
  notBefore = $state(0);
  receipt = $state<ReportReceipt | null>(null);

  /** What was sent last under which key: an unchanged repeat is the same report, a changed one a new one. */
  #attempt: { key: string; content: string } | null = null;

  get isEmpty(): boolean {
    return this.photos.length === 0 && this.description.trim() === '' && this.address.trim() === '';
  }

  get hasPlace(): boolean {
    return this.point !== null || this.address.trim() !== '';
  }

  /** Takes photos as they were picked; says what was left out, if anything. */
  async addPhotos(files: Iterable<File>): Promise<Phrase | null> {
    let left: Phrase | null = null;
    for (const file of files) {
      if (this.photos.length >= MOST_PHOTOS) return words.photoTooMany;
      const photo = await prepared(file);
      if (photo === 'wrong-kind') left = words.photoWrongKind;
      else if (photo === 'too-large') left = words.photoTooLarge;
      else this.photos.push({ file: photo, preview: URL.createObjectURL(photo) });
    }
    return left;
  }

  removePhoto(index: number): void {
    const [removed] = this.photos.splice(index, 1);
    if (removed !== undefined) URL.revokeObjectURL(removed.preview);
  }

  async send(): Promise<void> {
    if (this.sending) return;
    this.trouble = null;
    const draft = this.#written();
    const files = this.photos.map(({ file }) => file);
    const content = JSON.stringify([draft, files.map(({ name, size, lastModified }) => [name, size, lastModified])]);
    if (this.#attempt?.content !== content) this.#attempt = { key: newKey(), content };
    this.sending = true;
    try {
      this.receipt = await sendReport(draft, files, this.#attempt.key);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.trouble = explain(error);
      if (error.retryAfterMs !== null) this.notBefore = Date.now() + error.retryAfterMs;
    } finally {
      this.sending = false;
    }
  }

  #written(): ReportDraft {
    const address = this.address.trim();
    const reporter = Object.fromEntries(
      Object.entries(this.reporter).filter(([, value]) => value !== '' && value !== false),
    ) as Reporter;
    return {
      description: this.description.trim(),
      channel: 'web',
      ...(this.category === null ? {} : { category: this.category }),
      ...(this.point === null ? {} : { lat: this.point.lat, lon: this.point.lon }),
      ...(address === '' ? {} : { address }),
      ...(Object.keys(reporter).some((key) => key !== 'anonymous') ? { reporter } : {}),
    };
  }
}

/** What a failed attempt means for the person who wrote it. */
export function explain(error: ApiError): Trouble {
  if (error.outcome === 'unknown') return { phrase: words.outcomeUnknown, again: true, field: null };
  if (error.status === 429) return { phrase: words.tooMany, again: true, field: null };
  if (error.outcome === 'busy') return { phrase: words.busy, again: true, field: null };
  if (error.status === 409) return { phrase: words.conflict, again: false, field: null };
  if (error.status === 413) return { phrase: words.photoTooLarge, again: false, field: 'photos' };
  const field = error.fields.map(fieldOf).find((found) => found !== null) ?? null;
  const said: Record<Field, Phrase> = {
    photos: words.photoUnreadable,
    place: words.placeRefused,
    description: words.textTooLong,
    phone: words.phoneWrong,
    email: words.emailWrong,
  };
  return { phrase: field === null ? (error.status < 500 ? words.refused : common.serverTrouble) : said[field], again: false, field };
}

function fieldOf({ field }: FieldError): Field | null {
  if (/photo/.test(field)) return 'photos';
  if (/\b(lat|lon|address)\b/.test(field)) return 'place';
  if (/description/.test(field)) return 'description';
  if (/phone/.test(field)) return 'phone';
  return /email/.test(field) ? 'email' : null;
}
