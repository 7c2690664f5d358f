-- The board as it was at any moment, and shifts that are handed over.

CREATE TABLE board_row (
    incident_id text NOT NULL,
    at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    agencies    text[] NOT NULL,
    kecamatan   text,
    kelurahan   text,
    row         bytea NOT NULL
);
CREATE INDEX board_row_incident ON board_row (incident_id, at DESC);
COMMENT ON TABLE board_row IS
    'dispatcher/playback_store.py. Appended: each row of an incident as it went to the board, in JSON; agencies, '
    'kecamatan and kelurahan say who could see it';

CREATE TABLE board_stay (
    incident_id text NOT NULL,
    during      tstzrange NOT NULL
);
CREATE INDEX board_stay_during ON board_stay USING gist (during);
CREATE INDEX board_stay_incident ON board_stay (incident_id);
CREATE INDEX board_stay_since ON board_stay (lower(during));
COMMENT ON TABLE board_stay IS
    'dispatcher/playback_store.py. From when until when an incident was on the board; without an end: it is';

CREATE TABLE handover (
    id        text PRIMARY KEY,
    agencies  text[] NOT NULL,
    since     timestamptz NOT NULL,
    giver     text NOT NULL,
    given_at  timestamptz NOT NULL,
    taker     text NOT NULL,
    taken_at  timestamptz,
    note      text NOT NULL DEFAULT '',
    remark    text,
    content   jsonb NOT NULL,
    digest    text NOT NULL
);
CREATE INDEX handover_given ON handover (given_at DESC, id DESC);
COMMENT ON TABLE handover IS
    'dispatcher/desk/handover_store.py. What one shift told the next, of these agencies (none: the whole city). Content '
    'stays as it was signed, by the giver when it is made and by the taker once; its digest stands in the audit for both';

-- The board of a moment, for who asks. It looks past the scope for the newest row of each incident: were those out of
-- sight left out before, an incident that has left somebody's scope would stay there with its last row in it.
CREATE FUNCTION board_at(moment timestamptz)
RETURNS TABLE (incident_id text, at timestamptz, agencies text[], kecamatan text, kelurahan text, data bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT s.incident_id, r.at, r.agencies, r.kecamatan, r.kelurahan, r.row
      FROM board_stay s CROSS JOIN LATERAL (
           SELECT b.at, b.agencies, b.kecamatan, b.kelurahan, b.row FROM board_row b
            WHERE b.incident_id = s.incident_id AND b.at <= $1 ORDER BY b.at DESC LIMIT 1) AS r
     WHERE s.during @> $1 AND (
           (SELECT asker_sees_all())
        OR (
            (SELECT asker('area')) IN ('*', r.kecamatan, r.kelurahan)
            AND ((SELECT asker('agencies')) = '*' OR r.agencies && (SELECT asker_list('agencies')))
        ))
$$;
REVOKE ALL ON FUNCTION board_at(timestamptz) FROM PUBLIC;

-- Who opens an incident writes its row, wherever that lies.
CREATE POLICY put ON board_row FOR INSERT TO patriot_desk WITH CHECK (true);
CREATE POLICY scope ON handover TO patriot_desk USING (
    (SELECT asker_sees_all())
    OR ((SELECT asker('area')) = '*' AND agencies <> '{}' AND agencies <@ (SELECT asker_list('agencies')))
);
CREATE POLICY engine ON board_row TO patriot_dispatcher USING (true);
-- When somebody's incident was on the board says nothing of it: which ones they know is told by the rows.
CREATE POLICY kept ON board_stay TO patriot_desk USING (true);
CREATE POLICY engine ON board_stay TO patriot_dispatcher USING (true);
ALTER TABLE board_stay ENABLE ROW LEVEL SECURITY;
ALTER TABLE board_row ENABLE ROW LEVEL SECURITY;
ALTER TABLE handover ENABLE ROW LEVEL SECURITY;
