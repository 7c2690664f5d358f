-- What was decided and who looked at personal data, chained so that nobody can change it unseen; consent and erasure.

CREATE TABLE audit_entry (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor    text NOT NULL,
    action   text NOT NULL,
    subject  text NOT NULL,
    personal boolean NOT NULL DEFAULT false,
    detail   jsonb NOT NULL DEFAULT '{}',
    seq      bigint UNIQUE,
    hash     bytea
);
-- What waits for the sealer is found here, however late its transaction came.
CREATE INDEX audit_entry_unsealed ON audit_entry (id) WHERE seq IS NULL;
CREATE INDEX audit_entry_personal ON audit_entry (subject, id) WHERE personal;
COMMENT ON TABLE audit_entry IS
    'dispatcher/audit_store.py. Appended; seq and hash are the sealer''s, written once. personal: a look at personal '
    'data, whose subject says whose. No personal data is in it';

CREATE TABLE audit_head (
    hour      timestamptz PRIMARY KEY,
    seq       bigint NOT NULL,
    hash      bytea NOT NULL,
    at        timestamptz NOT NULL,
    signature bytea
);
CREATE INDEX audit_head_seq ON audit_head (seq);
COMMENT ON TABLE audit_head IS
    'dispatcher/audit_store.py. Where the chain ended in each hour, signed; the running hour''s is renewed as it grows';

-- The desk tells, and reads nothing of it.
CREATE POLICY told ON audit_entry FOR INSERT TO patriot_desk WITH CHECK (true);
CREATE POLICY engine ON audit_entry TO patriot_dispatcher USING (true);
ALTER TABLE audit_entry ENABLE ROW LEVEL SECURITY;

-- The chain holds a digest of a note under this key; key and note are erased together.
ALTER TABLE incident_history ADD COLUMN note_key bytea;
COMMENT ON COLUMN incident_history.note_key IS 'Key of the note''s digest in the audit chain; erased with the note';

ALTER TABLE report ADD COLUMN consent text;
COMMENT ON COLUMN report.consent IS 'Which version of the text on personal data its sender agreed to';

CREATE TABLE erasure (
    report_id text PRIMARY KEY,
    at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    words     boolean NOT NULL
);
COMMENT ON TABLE erasure IS
    'dispatcher/report_store.py. Reports whose contact (words: and free text) was erased: neither comes back';

-- For the retention of contacts, words and photos, which looks for what ended long ago.
CREATE INDEX incident_ended_at ON incident (ended_at) WHERE ended_at IS NOT NULL;
