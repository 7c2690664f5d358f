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
