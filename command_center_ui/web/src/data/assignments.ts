/** An officer's assignments: the list, the steps, and what goes with them. */

import { ask } from '../api';
import type { AssignmentDetail, AssignmentStatus, IncidentDetail, OfficerRow, OfficerStatus, Page, PhotoKept } from '../contract';

export type Step = 'accept' | 'decline' | 'depart' | 'arrive' | 'complete';

const ACTIVE: readonly AssignmentStatus[] = ['offered', 'accepted', 'en_route', 'on_scene'];

/** What a phone says with a step: its clock, where it is, and the words that the step asks for. */
export interface StepBody {
  at: string;
  lat?: number;
  lon?: number;
  reason?: string;
  note?: string;
  photo_ids?: string[];
}

/** Those that still ask for something, the one that is furthest first, then the longest waiting. */
export async function activeAssignments(): Promise<AssignmentDetail[]> {
  const { items } = await ask<Page<AssignmentDetail>>(`/api/v1/assignments?status=${ACTIVE.join(',')}&limit=50`);
  return inOrder(items);
}

export function inOrder(items: readonly AssignmentDetail[]): AssignmentDetail[] {
  const stage = ({ status }: AssignmentDetail): number => ACTIVE.indexOf(status);
  return [...items].sort((a, b) => stage(b) - stage(a) || Date.parse(a.offered_at) - Date.parse(b.offered_at));
}

/** The step that an officer takes next, if any; `decline` and `depart` are offered beside it. */
export function nextStep(legal: readonly string[]): Step | null {
  return (['accept', 'arrive', 'complete'] as const).find((step) => legal.includes(step)) ?? null;
}

/** Throws `ApiError` 409 when the assignment has changed meanwhile. */
export function take(id: string, step: Step, body: StepBody, key: string): Promise<AssignmentDetail> {
  const path = `/api/v1/assignments/${encodeURIComponent(id)}/${step}`;
  return ask<AssignmentDetail>(path, { method: 'POST', body, idempotencyKey: key });
}

export function incidentOf(id: string): Promise<IncidentDetail> {
  return ask<IncidentDetail>(`/api/v1/incidents/${encodeURIComponent(id)}`);
}

/** Sends a photo as proof and gives back its id. */
export async function keepPhoto(photo: File): Promise<string> {
  const body = new FormData();
  body.append('photo', photo, photo.name);
  return (await ask<PhotoKept>('/api/v1/photos', { method: 'POST', body, timeoutMs: 60_000 })).photo_id;
}

export type Presence = Exclude<OfficerStatus, 'busy'>;

export interface PresenceBody {
  status: Presence;
  at: string;
  lat?: number;
  lon?: number;
  accuracy_m?: number;
}

/** Gives back how one stands after it. Throws `ApiError` 409 for who still has work and wants to leave. */
export async function bePresent(body: PresenceBody): Promise<OfficerStatus> {
  return (await ask<OfficerRow>('/api/v1/me/presence', { method: 'PUT', body })).status;
}

/** How one stands; null when the account is no officer's. */
export async function ownStatus(username: string): Promise<OfficerStatus | null> {
  const { items } = await ask<Page<OfficerRow>>('/api/v1/officers?limit=500');
  return items.find(({ id }) => id === username)?.status ?? null;
}
