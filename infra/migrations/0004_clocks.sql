-- What the city decides anew while we run, and the clocks of incidents.

CREATE TABLE policy (
    version bigint PRIMARY KEY,
    id      uuid NOT NULL DEFAULT gen_random_uuid(),
    part    text NOT NULL,
    body    jsonb NOT NULL,
    put_by  text NOT NULL,
    put_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    why     text NOT NULL DEFAULT ''
);
CREATE INDEX policy_part ON policy (part, version DESC);
COMMENT ON TABLE policy IS
    'dispatcher/policy_store.py. Appended, never edited; the newest row of a part is live, none means the default';

-- Due times are found by dispatcher/decisions/clock.py whenever the incident is saved. What was written before this, or
-- by an older release, is at policy -1 and gets its clocks from the sweep (dispatcher/clocks.py).
ALTER TABLE incident
    ADD COLUMN on_scene_due_at timestamptz,
    ADD COLUMN closes_at       timestamptz,
    ADD COLUMN looked_at       timestamptz,
    ADD COLUMN on_scene_at     timestamptz,
    ADD COLUMN policy_version  bigint NOT NULL DEFAULT -1;
CREATE INDEX incident_policy ON incident (policy_version, id)
    WHERE status NOT IN ('closed', 'rejected', 'merged', 'transferred');
COMMENT ON COLUMN incident.policy_version IS 'The policy that its due times follow from; -1: none yet';

-- One row per incident and kind, with all the times at which it fires: a clock's ladder has several.
ALTER TABLE deadline
    ADD COLUMN rungs timestamptz[] NOT NULL DEFAULT '{}',
    ADD COLUMN step  int NOT NULL DEFAULT 0;
COMMENT ON TABLE deadline IS
    'dispatcher/deadline_store.py. Claimed with SKIP LOCKED; each time of rungs fires once. step: how many have; due_at: '
    'the next one; fired_at: since when none is to come. Empty rungs: due_at alone. A subject stands behind the kind: '
    'answer/ASG-…';
