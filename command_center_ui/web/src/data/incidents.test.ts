import { describe, expect, it } from 'vitest';
import { clockRun, drawsTheEye, isOverdue, loads, mostUrgent, newest, type Incident } from './incidents';

const NOW = Date.parse('2026-11-22T10:00:00Z');
const ago = (minutes: number): string => new Date(NOW - minutes * 60_000).toISOString();

function incident(id: string, more: Partial<Incident> = {}): Incident {
  return {
    id, version: 1, category: 'traffic_jam', title: id, status: 'routed', priority: 'normal',
    agency: 'DISHUB', regency: '32.75', kecamatan: null, lat: null, lon: null,
    opened_at: ago(10), updated_at: ago(10), report_count: 1, ...more,
  };
}

const ids = (rows: Incident[]): string[] => rows.map(({ id }) => id);

describe('the most urgent come first', () => {
  it('by priority, then overdue, then least time left, then oldest', () => {
    const rows = [
      incident('old', { opened_at: ago(99) }),
      incident('young'),
      incident('soon', { due_at: ago(-5) }),
      incident('late', { due_at: ago(5) }),
      incident('high', { priority: 'high' }),
      incident('critical', { priority: 'critical' }),
      incident('done', { priority: 'critical', status: 'resolved' }),
    ];
    expect(ids(mostUrgent(rows, NOW, 10))).toEqual(['critical', 'high', 'late', 'soon', 'old', 'young']);
    expect(mostUrgent(rows, NOW, 2)).toHaveLength(2);
  });

  it('by the number of reports where priorities are not to be seen', () => {
    const open = (id: string, report_count: number): Incident => {
      const row = incident(id, { report_count });
      delete row.priority;
      return row;
    };
    expect(ids(mostUrgent([open('one', 1), open('three', 3)], NOW, 5))).toEqual(['three', 'one']);
  });
});

it('the newest are the last opened, done or not, without merged ones', () => {
  const rows = [
    incident('b', { opened_at: ago(2), status: 'transferred' }),
    incident('a', { opened_at: ago(1) }),
    incident('m', { opened_at: ago(0), status: 'merged' }),
  ];
  expect(ids(newest(rows, 5))).toEqual(['a', 'b']);
});

it('compares opening times as times, whatever their offset', () => {
  const rows = [
    incident('earlier', { opened_at: '2026-11-22T16:00:00+07:00' }),
    incident('later', { opened_at: '2026-11-22T09:30:00+00:00' }),
  ];
  expect(ids(newest(rows, 2))).toEqual(['later', 'earlier']);
});

describe('the clock', () => {
  it('runs from opening to due', () => {
    expect(clockRun(incident('x', { opened_at: ago(30), due_at: ago(-30) }), NOW)).toBeCloseTo(0.5);
    expect(clockRun(incident('x', { opened_at: ago(30), due_at: ago(1) }), NOW)).toBe(1);
    expect(clockRun(incident('x', { due_at: null }), NOW)).toBeNull();
    expect(clockRun(incident('x', { opened_at: ago(1), due_at: ago(1) }), NOW)).toBe(1);
  });

  it('is overdue only while there is something to do', () => {
    expect(isOverdue(incident('x', { due_at: ago(1) }), NOW)).toBe(true);
    expect(isOverdue(incident('x', { due_at: ago(1), status: 'resolved' }), NOW)).toBe(false);
  });
});

it('the load of an agency is parted without overlap', () => {
  const rows = [
    incident('a', { due_at: ago(1), status: 'in_progress' }),
    incident('b', { status: 'in_progress' }),
    incident('c'),
    incident('d', { agency: 'DLH', regency: '32.16' }),
    incident('e', { agency: null }),
    incident('f', { status: 'closed' }),
  ];
  expect(loads(rows, NOW, 8)).toEqual([
    { agency: 'DISHUB', regency: '32.75', overdue: 1, inHand: 1, waiting: 1, total: 3 },
    { agency: 'DLH', regency: '32.16', overdue: 0, inHand: 0, waiting: 1, total: 1 },
  ]);
});

it('a new or escalated incident draws the eye, another change does not', () => {
  expect(drawsTheEye(undefined, incident('x'))).toBe(true);
  expect(drawsTheEye(undefined, incident('x', { status: 'closed' }))).toBe(false);
  expect(drawsTheEye(incident('x'), incident('x', { priority: 'critical' }))).toBe(true);
  expect(drawsTheEye(incident('x'), incident('x', { status: 'in_progress' }))).toBe(false);
});
