import { expect, it } from 'vitest';
import type { AssignmentDetail, AssignmentStatus } from '../contract';
import { inOrder, nextStep } from './assignments';

const assignment = (id: string, status: AssignmentStatus, minute: number): AssignmentDetail =>
  ({ id, status, offered_at: `2026-11-22T10:${minute}:00Z` }) as AssignmentDetail;

it('what was begun comes before what is asked, the longest waiting first', () => {
  const list = [
    assignment('late offer', 'offered', 20),
    assignment('early offer', 'offered', 10),
    assignment('there', 'on_scene', 30),
    assignment('accepted', 'accepted', 15),
  ];
  expect(inOrder(list).map(({ id }) => id)).toEqual(['there', 'accepted', 'early offer', 'late offer']);
});

it('the next step is the one that leads on; setting out may be left out', () => {
  expect(nextStep(['decline', 'accept'])).toBe('accept');
  expect(nextStep(['depart', 'decline', 'arrive'])).toBe('arrive');
  expect(nextStep(['complete'])).toBe('complete');
  expect(nextStep([])).toBeNull();
});
