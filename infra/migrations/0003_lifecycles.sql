-- Lifecycles in full: pauses, merging and splitting that can be undone, what citizens say of the answer, proof of work.

ALTER TABLE incident
    ADD COLUMN pauses      jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN merged_into text REFERENCES incident,
    ADD COLUMN split_from  text REFERENCES incident,
    ADD COLUMN reopened_at timestamptz,
    ADD COLUMN flags       text[] NOT NULL DEFAULT '{}';
CREATE INDEX incident_merged_into ON incident (merged_into) WHERE merged_into IS NOT NULL;
CREATE INDEX incident_split_from ON incident (split_from) WHERE split_from IS NOT NULL;
CREATE INDEX incident_predecessor ON incident (predecessor) WHERE predecessor IS NOT NULL;
-- What has ended lately and nearby: a report that follows it is linked to it, and one about a merged incident joins the
-- one it was merged into. Written once, when an incident ends.
CREATE INDEX incident_ended ON incident (cell, category, last_report_at)
    WHERE status IN ('closed', 'rejected', 'merged', 'transferred');
CREATE INDEX incident_flagged ON incident (updated_at DESC, id DESC) WHERE flags <> '{}';
COMMENT ON COLUMN incident.pauses IS 'While it was on hold: [{reason, since, planned_until, until, stops_clock}, …]';
COMMENT ON COLUMN incident.flags IS 'What is doubtful about the proof of work (dispatcher/decisions/proof.py)';

-- Merging moves reports and evidence; `home` is where an undone merge brings them back to. Null: where they are.
ALTER TABLE report ADD COLUMN home text REFERENCES incident;
ALTER TABLE incident_evidence ADD COLUMN home text REFERENCES incident;
COMMENT ON TABLE incident_evidence IS 'dispatcher/evidence_store.py';

CREATE TABLE report_move (
    report_id     text NOT NULL REFERENCES report,
    at            timestamptz NOT NULL,
    from_incident text NOT NULL REFERENCES incident,
    to_incident   text NOT NULL REFERENCES incident,
    PRIMARY KEY (report_id, at)
);
COMMENT ON TABLE report_move IS
    'dispatcher/report_store.py. Appended: which incident a report was in until then, so that its page tells the story '
    'of each while it was there';

CREATE TABLE feedback (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    report_id   text NOT NULL REFERENCES report,
    incident_id text NOT NULL REFERENCES incident,
    satisfied   boolean NOT NULL,
    comment     text,
    resolved_at timestamptz NOT NULL,
    at          timestamptz NOT NULL
);
CREATE INDEX feedback_report ON feedback (report_id, id);
CREATE INDEX feedback_incident ON feedback (incident_id, id);
COMMENT ON TABLE feedback IS
    'dispatcher/feedback_store.py. What a reporter says of an answer; resolved_at tells which one. The comment is a '
    'citizen''s own words';

-- Both look past the scope of who asks: what belongs together does not depend on it.

CREATE FUNCTION holders_of(incident text) RETURNS text[]
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH RECURSIVE holder AS (
        SELECT i.merged_into AS id FROM incident i WHERE i.id = $1 AND i.merged_into IS NOT NULL
         UNION
        SELECT i.merged_into FROM incident i JOIN holder h ON i.id = h.id WHERE i.merged_into IS NOT NULL
    )
    SELECT coalesce(array_agg(id), '{}') FROM holder
$$;

CREATE FUNCTION merged_tree(incident text) RETURNS text[]
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH RECURSIVE part AS (
        SELECT $1 AS id
         UNION
        SELECT i.id FROM incident i JOIN part p ON i.merged_into = p.id
    )
    SELECT array_agg(id) FROM part
$$;

REVOKE ALL ON FUNCTION holders_of(text), merged_tree(text) FROM PUBLIC;
