/** What the wall says of incidents: which come first, how far their clock has run, what each agency carries. Pure. */

import type { AgencyCode, IncidentRow, IncidentStatus, Priority, PublicIncidentRow, Regency } from '../contract';

/** A row as staff see it or as anyone does: the public view lacks what is optional here. */
export type Incident = PublicIncidentRow & Partial<IncidentRow>;

/** Still somebody's to do: what a key figure or a bar counts. */
const TO_DO: ReadonlySet<IncidentStatus> = new Set([
  'new', 'triage', 'routed', 'assigned', 'in_progress', 'on_hold',
]);
const IN_HAND: ReadonlySet<IncidentStatus> = new Set(['assigned', 'in_progress']);

const RANK: Record<Priority, number> = { critical: 3, high: 2, normal: 1, low: 0 };

export function isToDo(row: Incident): boolean {
  return TO_DO.has(row.status);
}

export function isInHand(row: Incident): boolean {
  return IN_HAND.has(row.status);
}

/** Past its due time and not done. */
export function isOverdue(row: Incident, now: number): boolean {
  return isToDo(row) && row.due_at != null && Date.parse(row.due_at) < now;
}

export function rank(row: Incident): number {
  return row.priority === undefined ? -1 : RANK[row.priority];
}

/** Share of the time from opening to due that has run, 0 to 1; null where no due time is known. */
export function clockRun(row: Incident, now: number): number | null {
  if (row.due_at == null) return null;
  const opened = Date.parse(row.opened_at);
  const whole = Date.parse(row.due_at) - opened;
  if (whole <= 0) return 1;
  return Math.min(1, Math.max(0, (now - opened) / whole));
}

/**
 * The `count` incidents that need somebody most: by priority, then overdue ones, then the least time left, then the
 * oldest. In the public view, which knows neither, by how many people reported it.
 */
export function mostUrgent(rows: Iterable<Incident>, now: number, count: number): Incident[] {
  const due = (row: Incident): number => (row.due_at == null ? Infinity : Date.parse(row.due_at));
  return [...rows]
    .filter(isToDo)
    .sort(
      (a, b) =>
        rank(b) - rank(a) ||
        Number(isOverdue(b, now)) - Number(isOverdue(a, now)) ||
        (rank(a) < 0 ? b.report_count - a.report_count : 0) ||
        compare(due(a), due(b)) ||
        compare(a.opened_at, b.opened_at) ||
        compare(a.id, b.id),
    )
    .slice(0, count);
}

/** The `count` incidents that were opened last, whatever became of them; a merged one lives on in the other. */
export function newest(rows: Iterable<Incident>, count: number): Incident[] {
  return [...rows]
    .filter(({ status }) => status !== 'merged')
    .sort((a, b) => compare(Date.parse(b.opened_at), Date.parse(a.opened_at)) || compare(b.id, a.id))
    .slice(0, count);
}

function compare<T extends string | number>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** What one agency has to do: parts that do not overlap, and their sum. */
export interface Load {
  agency: AgencyCode;
  regency: Regency;
  overdue: number;
  waiting: number;
  inHand: number;
  total: number;
}

/** Loads of the agencies that have something to do, Kota before Kabupaten, the heaviest first, at most `count`. */
export function loads(rows: Iterable<Incident>, now: number, count: number): Load[] {
  const byAgency = new Map<string, Load>();
  for (const row of rows) {
    if (!isToDo(row) || row.agency === null || row.regency === null) continue;
    const key = `${row.regency}/${row.agency}`;
    const load = byAgency.get(key) ?? { ...pair(row.agency, row.regency), overdue: 0, waiting: 0, inHand: 0, total: 0 };
    byAgency.set(key, load);
    load.total += 1;
    if (isOverdue(row, now)) load.overdue += 1;
    else if (isInHand(row)) load.inHand += 1;
    else load.waiting += 1;
  }
  return [...byAgency.values()]
    .sort((a, b) => b.total - a.total || compare(a.agency, b.agency))
    .slice(0, count)
    .sort((a, b) => compare(b.regency, a.regency) || b.total - a.total || compare(a.agency, b.agency));
}

function pair(agency: AgencyCode, regency: Regency): { agency: AgencyCode; regency: Regency } {
  return { agency, regency };
}

/** What deserves a look now: an incident that has just come, or whose priority has just risen. */
export function drawsTheEye(before: Incident | undefined, after: Incident): boolean {
  if (!isToDo(after)) return false;
  return before === undefined || rank(after) > rank(before);
}
