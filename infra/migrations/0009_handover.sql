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

-- Who saw a row then sees it now; who opens an incident writes its row, wherever that lies.
CREATE POLICY scope ON board_row FOR SELECT TO patriot_desk USING (
    (SELECT asker_sees_all())
    OR (
        (SELECT asker('area')) IN ('*', kecamatan, kelurahan)
        AND ((SELECT asker('agencies')) = '*' OR agencies && (SELECT asker_list('agencies')))
    )
);
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
