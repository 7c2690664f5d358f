/** An officer's tasks on this phone: the list as the server has it, and steps that are sent once however often pressed. */

import { ApiError } from '../api';
import type { AssignmentDetail, OfficerStatus } from '../contract';
import {
  activeAssignments, bePresent, keepPhoto, ownStatus, take, type Presence, type Step, type StepBody,
} from '../data/assignments';
import { newKey } from '../idempotency';
import type { Phrase } from '../language.svelte';
import { backOff, poll, type Poll } from '../poll';
import { whereabouts } from '../whereabouts';
import { officer as words } from '../words';

/** A new offer is answered within two minutes at best: it must not wait longer than this to be seen. */
const LOOK_MS = 7000;
const LATEST_MS = 60_000;
/** How often an officer on duty says where they are. */
const PRESENCE_MS = 60_000;
/** A place that takes longer to find is left out: the step matters more. */
const WHERE_MS = 4000;

/** The words and the photo of a step, as typed. */
export interface Said {
  reason?: string;
  note?: string;
  photo?: File | null;
}

export class Tasks {
  list = $state.raw<AssignmentDetail[] | null>(null);
  updatedAt = $state(0);
  /** The list could not be refreshed; what is shown may be old. */
  failing = $state(false);
  signedOut = $state(false);
  notAllowed = $state(false);
  /** Id of the assignment whose step is being sent. */
  sending = $state<string | null>(null);
  trouble = $state<{ about: string | null; phrase: Phrase } | null>(null);
  /** How this officer stands; null while not known. */
  status = $state<OfficerStatus | null>(null);
  withPlace = $state(false);
  placeRefused = $state(false);

  readonly #poll: Poll;
  readonly #presenceTimer: ReturnType<typeof setInterval>;
  /** What was pressed and not yet settled: a repeat with the same words is the same request, to the byte. */
  readonly #attempts = new Map<string, { said: string; key: string; body: StepBody }>();
  #failures = 0;

  constructor(readonly username: string) {
    this.#poll = poll(() => this.#look());
    addEventListener('focus', this.#poll.now);
    this.#presenceTimer = setInterval(() => {
      const onDuty = this.status === 'available' || this.status === 'busy';
      if (this.withPlace && onDuty && !document.hidden) void this.#tellPresence('available');
    }, PRESENCE_MS);
  }

  stop(): void {
    this.#poll.stop();
    removeEventListener('focus', this.#poll.now);
    clearInterval(this.#presenceTimer);
  }

  async #look(): Promise<number | null> {
    try {
      [this.list, this.status] = await Promise.all([activeAssignments(), ownStatus(this.username)]);
      this.updatedAt = Date.now();
      this.failing = false;
      this.#failures = 0;
      return LOOK_MS;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 401) this.signedOut = true;
      if (error.status === 403) this.notAllowed = true;
      if (error.status === 401 || error.status === 403) return null;
      this.failing = true;
      this.#failures += 1;
      return error.retryAfterMs ?? backOff(LOOK_MS, this.#failures, LATEST_MS);
    }
  }

  /** Takes a step; true once the server has it. On failure `trouble` says what became of it. */
  async take(task: AssignmentDetail, step: Step, said: Said = {}): Promise<boolean> {
    if (this.sending !== null) return false;
    this.sending = task.id;
    this.trouble = null;
    try {
      const attempt = await this.#attempt(task, step, said);
      const moved = await take(task.id, step, attempt.body, attempt.key);
      this.#attempts.delete(`${task.id}/${step}`);
      this.list = (this.list ?? []).map((each) => (each.id === moved.id ? moved : each)).filter(({ legal }) => legal.length > 0);
      return true;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.#explain(error, task, step);
      return false;
    } finally {
      this.sending = null;
      this.#poll.now();
    }
  }

  async #attempt(task: AssignmentDetail, step: Step, said: Said): Promise<{ key: string; body: StepBody }> {
    const id = `${task.id}/${step}`;
    const words = JSON.stringify([said.reason, said.note, said.photo?.name, said.photo?.size, said.photo?.lastModified]);
    const earlier = this.#attempts.get(id);
    if (earlier?.said === words) return earlier;
    const at = new Date().toISOString();
    const place = await this.#place();
    const attempt = {
      said: words,
      key: newKey(),
      body: {
        at,
        ...(place === null ? {} : { lat: place.lat, lon: place.lon }),
        ...(said.reason === undefined ? {} : { reason: said.reason }),
        ...(said.note === undefined ? {} : { note: said.note }),
        ...(said.photo == null ? {} : { photo_ids: [await keepPhoto(said.photo)] }),
      },
    };
    this.#attempts.set(id, attempt);
    return attempt;
  }

  #explain(error: ApiError, task: AssignmentDetail, step: Step): void {
    if (error.status === 401) {
      this.signedOut = true;
      return;
    }
    const about = error.status === 409 || error.status === 404 ? null : task.id;
    if (error.outcome === 'refused') this.#attempts.delete(`${task.id}/${step}`);
    this.trouble = { about, phrase: phraseFor(error) };
  }

  async setPresence(wanted: Presence): Promise<void> {
    const before = this.status;
    this.status = wanted; // at once on the screen, back again if refused
    this.trouble = null;
    if (!(await this.#tellPresence(wanted))) this.status = before;
  }

  /** Whether to send this phone's place along; asks its owner first. */
  async setWithPlace(on: boolean): Promise<void> {
    this.placeRefused = false;
    this.withPlace = on && typeof (await whereabouts()) === 'object';
    this.placeRefused = on && !this.withPlace;
    if (this.withPlace && this.status !== null && this.status !== 'off_duty') {
      await this.#tellPresence(this.status === 'busy' ? 'available' : this.status);
    }
  }

  async #tellPresence(status: Presence): Promise<boolean> {
    const place = await this.#place();
    const where = place === null ? {} : { lat: place.lat, lon: place.lon, accuracy_m: Math.round(place.accuracyM) };
    try {
      this.status = await bePresent({ status, at: new Date().toISOString(), ...where });
      return true;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 401) this.signedOut = true;
      else this.trouble = { about: null, phrase: error.status === 409 ? words.atWork : phraseFor(error) };
      return false;
    }
  }

  async #place(): Promise<{ lat: number; lon: number; accuracyM: number } | null> {
    if (!this.withPlace) return null;
    const found = await whereabouts(WHERE_MS);
    return typeof found === 'object' ? found : null;
  }
}

function phraseFor(error: ApiError): Phrase {
  if (error.status === 409 || error.status === 404) return words.changed;
  if (error.outcome === 'unknown') return words.notSent;
  if (error.outcome === 'busy') return words.busy;
  return error.status === 415 || error.fields.some(({ field }) => field.includes('photo')) ? words.photoRefused : words.refused;
}
