/** Who has signed in. The server writes it into the page, so that nobody is asked who is not there. */

import { ask } from '../api';
import type { FeedTicket, Role, User, SessionOpened } from '../contract';

/** `unsure`: there is a session, but the server could not look it up when it made the page. */
export type Session = { kind: 'none' } | { kind: 'staff'; username: string; role: Role } | { kind: 'unsure' };

/** The session as the server wrote it into `<html data-session data-username data-role>`. */
export function sessionOfPage(): Session {
  const { session, username, role } = document.documentElement.dataset;
  if (session === 'staff' && username !== undefined && role !== undefined) {
    return { kind: 'staff', username, role: role as Role };
  }
  return { kind: session === 'unsure' ? 'unsure' : 'none' };
}

/** Throws `ApiError` 401 when the session is over. */
export function me(): Promise<User> {
  return ask<User>('/api/v1/me');
}

/** Throws `ApiError` 401 when name or password do not match. */
export async function signIn(username: string, password: string): Promise<User> {
  const opened = await ask<SessionOpened>('/api/v1/session', { method: 'POST', body: { username, password } });
  return opened.user;
}

export async function signOut(): Promise<void> {
  await ask('/api/v1/session', { method: 'DELETE' });
}

/** A ticket for the feed: as staff (`ApiError` 401 when the session is over), or for the public view. */
export async function feedTicket(asStaff: boolean): Promise<string> {
  // without a session the server would give a ticket for the public view, and the wall would lose rows in silence
  if (asStaff) await me();
  const { ticket } = await ask<FeedTicket>('/api/v1/feed/ticket', { method: 'POST', signedIn: asStaff });
  return ticket;
}
