-- What is unsolved, by when it is due: the wall counts what is overdue every few seconds.

CREATE INDEX incident_unsolved_due ON incident (due_at)
    WHERE status IN ('assigned', 'in_progress', 'new', 'on_hold', 'routed', 'triage');
