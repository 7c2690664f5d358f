/** One way to ask our server: JSON in and out, a time-out on everything, and errors that say what became of the request. */

import type { FieldError, Problem } from './contract';

/**
 * What is known after a failure.
 * `refused`: the server read it and said no. `busy`: not now, nothing was kept. `unknown`: it may have been done or not.
 */
export type Outcome = 'refused' | 'busy' | 'unknown';

export class ApiError extends Error {
  override readonly name = 'ApiError';

  constructor(
    readonly outcome: Outcome,
    /** 0 when no answer came. */
    readonly status: number,
    readonly problem: Problem | null,
    /** When the server asks to come back, in ms. */
    readonly retryAfterMs: number | null,
  ) {
    super(problem?.detail ?? problem?.title ?? `HTTP ${status}`);
  }

  get fields(): FieldError[] {
    return this.problem?.errors ?? [];
  }
}

export interface Ask {
  method?: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Sent as JSON, unless it is a form with files. */
  body?: object | FormData;
  idempotencyKey?: string;
  timeoutMs?: number;
  /** `default` for what may be kept and only checked for a newer one. */
  cache?: RequestCache;
  /** `false` asks as anybody would, without the session. */
  signedIn?: boolean;
}

/** The answer's JSON (`null` for none). Throws `ApiError`, also for a time-out or when there is no network. */
export async function ask<Answer>(path: string, options: Ask = {}): Promise<Answer> {
  const { method = 'GET', body, idempotencyKey, timeoutMs = 10_000, cache = 'no-store', signedIn = true } = options;
  const headers = new Headers({ Accept: 'application/json' });
  if (idempotencyKey !== undefined) headers.set('Idempotency-Key', idempotencyKey);
  const form = body instanceof FormData;
  if (body !== undefined && !form) headers.set('Content-Type', 'application/json');
  let response: Response;
  let text: string;
  try {
    response = await fetch(path, {
      method,
      headers,
      body: body === undefined ? null : form ? body : JSON.stringify(body),
      credentials: signedIn ? 'same-origin' : 'omit',
      cache,
      signal: AbortSignal.timeout(timeoutMs),
    });
    text = await response.text();
  } catch {
    throw new ApiError('unknown', 0, null, null);
  }
  const answer = parsed(text);
  if (response.ok) return answer as Answer;
  throw refusal(response, answer);
}

function parsed(text: string): unknown {
  try {
    return text === '' ? null : (JSON.parse(text) as unknown);
  } catch {
    return null;
  }
}

function refusal(response: Response, answer: unknown): ApiError {
  const problem = isProblem(answer) ? answer : null;
  const seconds = Number(response.headers.get('Retry-After') ?? NaN);
  return new ApiError(
    outcomeOf(response.status, problem),
    response.status,
    problem,
    Number.isFinite(seconds) ? seconds * 1000 : null,
  );
}

/** A 503 whose type ends in `/outcome-unknown` was handed on before it failed; so may any other 5xx have been. */
export function outcomeOf(status: number, problem: Problem | null): Outcome {
  if (status === 503) return problem?.type.endsWith('/outcome-unknown') === true ? 'unknown' : 'busy';
  if (status === 429 || status === 408) return 'busy';
  return status >= 500 ? 'unknown' : 'refused';
}

function isProblem(value: unknown): value is Problem {
  return typeof value === 'object' && value !== null && 'status' in value && 'title' in value && 'type' in value;
}
