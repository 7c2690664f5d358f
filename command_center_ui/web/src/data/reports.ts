/** Reports: sending one, and looking one up by its tracking code. */

import { ask } from '../api';
import type { ReportDraft, ReportReceipt, ReportStatus } from '../contract';

/** Long enough for five photos on a slow phone network. */
const SEND_MS = 120_000;

/** Throws `ApiError`; a repeat with the same key and the same content never makes a second report. */
export function sendReport(draft: ReportDraft, photos: readonly File[], key: string): Promise<ReportReceipt> {
  if (photos.length === 0) {
    return ask<ReportReceipt>('/api/v1/reports', { method: 'POST', body: draft, idempotencyKey: key, signedIn: false });
  }
  const form = new FormData();
  form.append('report', new Blob([JSON.stringify(draft)], { type: 'application/json' }), 'report.json');
  for (const photo of photos) form.append('photo', photo, photo.name);
  const body = { body: form, idempotencyKey: key, timeoutMs: SEND_MS, signedIn: false };
  return ask<ReportReceipt>('/api/v1/reports', { method: 'POST', ...body });
}

/** Throws `ApiError` 404 for a code that was never given out. */
export function lookUp(code: string): Promise<ReportStatus> {
  return ask<ReportStatus>(`/api/v1/reports/${encodeURIComponent(code)}`, { signedIn: false });
}

/** A tracking code as it is shown: groups of four, joined by hyphens. */
export function spelled(code: string): string {
  return code.replace(/[^0-9a-z]/gi, '').toUpperCase().match(/.{1,4}/g)?.join('-') ?? '';
}
