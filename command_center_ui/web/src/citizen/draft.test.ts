import { describe, expect, it } from 'vitest';
import { ApiError, outcomeOf } from '../api';
import type { FieldError, Problem } from '../contract';
import { citizen as words } from '../words';
import { explain } from './draft.svelte';

function refused(status: number, type = 'x/invalid', errors: FieldError[] = []): ApiError {
  const problem: Problem = { type, title: '', status, errors };
  return new ApiError(outcomeOf(status, problem), status, problem, null);
}

describe('after a failed attempt it is said what became of the report', () => {
  it('a lost network leaves it open, and sending again is safe', () => {
    expect(explain(new ApiError('unknown', 0, null, null))).toEqual({
      phrase: words.outcomeUnknown, again: true, field: null,
    });
  });

  it('so does a 503 after it was handed on, but not one before', () => {
    expect(explain(refused(503, 'https://bekasi.id/problems/outcome-unknown')).phrase).toBe(words.outcomeUnknown);
    expect(explain(refused(503, 'https://bekasi.id/problems/unavailable')).phrase).toBe(words.busy);
    expect(explain(refused(502)).phrase).toBe(words.outcomeUnknown);
  });

  it('too many reports is a matter of waiting', () => {
    expect(explain(refused(429))).toEqual({ phrase: words.tooMany, again: true, field: null });
  });

  it.each([
    ['photo', 'photos', words.photoUnreadable],
    ['photo.0', 'photos', words.photoUnreadable],
    ['lat', 'place', words.placeRefused],
    ['address', 'place', words.placeRefused],
    ['description', 'description', words.textTooLong],
    ['reporter.phone', 'phone', words.phoneWrong],
    ['reporter.email', 'email', words.emailWrong],
  ])('a wrong %s leads to the screen where it can be corrected', (field, screen, phrase) => {
    expect(explain(refused(422, 'x/invalid', [{ field, message: '' }]))).toEqual({ phrase, again: false, field: screen });
  });
});
