-- Scopes are held by PostgreSQL too, beneath the desk; and what accounts need beyond a password.

-- Accounts -------------------------------------------------------------------------------------------------------

ALTER TABLE account
    ADD COLUMN kelurahan            text,
    ADD COLUMN must_change_password boolean NOT NULL DEFAULT false,
    ADD COLUMN totp_sealed          bytea,
    ADD COLUMN totp_confirmed_at    timestamptz,
    ADD COLUMN totp_last_step       bigint;
COMMENT ON COLUMN account.kelurahan IS 'With its kecamatan beside it, so that a release that knows only that shows no more';
COMMENT ON COLUMN account.totp_sealed IS 'The shared secret, sealed with a key of the city''s (dispatcher/desk/totp.py)';
COMMENT ON COLUMN account.totp_last_step IS 'The newest 30 s of which a code was used: that one and those before are spent';

ALTER TABLE session
    ADD COLUMN owes       text[] NOT NULL DEFAULT '{}',
    ADD COLUMN address    text,
    ADD COLUMN user_agent text;
COMMENT ON COLUMN session.owes IS 'What has to be done first (infra/access.py, Duty); until then it is good for nothing else';

CREATE TABLE recovery_code (
    username  text NOT NULL REFERENCES account ON DELETE CASCADE,
    code_hash bytea NOT NULL,
    PRIMARY KEY (username, code_hash)
);
COMMENT ON TABLE recovery_code IS 'dispatcher/desk/totp.py. Of 80 random bits each; deleted when used';

CREATE TABLE password_reset (
    token_hash bytea PRIMARY KEY,
    username   text NOT NULL REFERENCES account ON DELETE CASCADE,
    expires_at timestamptz NOT NULL
);
CREATE INDEX password_reset_username ON password_reset (username);
COMMENT ON TABLE password_reset IS 'dispatcher/desk/accounts.py. Deleted when used, or when a newer one is made';

-- Who asks -------------------------------------------------------------------------------------------------------
--
-- The desk says it at the beginning of each transaction, for that transaction (dispatcher/desk/reach.py). Nothing said is
-- nothing seen. agencies: '*' or REGENCY/CODE pairs; area: '*' or the code of a kecamatan or kelurahan; incidents: what
-- was opened by a named path; helpers: agencies that work on these; code: a citizen's tracking code.

CREATE FUNCTION asker(what text) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
    RETURN nullif(current_setting('patriot.' || what, true), '');

CREATE FUNCTION asker_list(what text) RETURNS text[] LANGUAGE sql STABLE PARALLEL SAFE
    RETURN string_to_array(nullif(current_setting('patriot.' || what, true), ''), ',');

CREATE FUNCTION asker_sees_all() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
    RETURN coalesce(asker('agencies') = '*' AND asker('area') = '*', false);

-- Both look past the scope, for one incident or code that the caller names.

CREATE FUNCTION agencies_around(incident text) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT string_agg(pair, ',') FROM (
        SELECT i.regency || '/' || i.agency AS pair FROM incident i WHERE i.id = $1 AND i.agency IS NOT NULL
         UNION
        SELECT unnest(i.co_agencies) FROM incident i WHERE i.id = $1
         UNION
        SELECT o.regency || '/' || o.agency FROM assignment a JOIN officer o ON o.username = a.officer
         WHERE a.incident_id = $1
    ) AS around
$$;

CREATE FUNCTION incidents_of_code(code text) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH told AS (SELECT r.id, r.incident_id FROM report r WHERE r.tracking_code = $1)
    SELECT string_agg(one, ',') FROM (
        SELECT incident_id AS one FROM told
         UNION
        SELECT m.from_incident FROM report_move m JOIN told ON m.report_id = told.id
         UNION
        SELECT m.to_incident FROM report_move m JOIN told ON m.report_id = told.id
    ) AS its
$$;

REVOKE ALL ON FUNCTION agencies_around(text), incidents_of_code(text) FROM PUBLIC;

-- An incident that somebody opens (a split, a successor) stays in sight for the rest of the transaction, wherever it
-- lies; else its own history could not be written.
CREATE FUNCTION keep_in_sight() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('patriot.incidents', concat_ws(',', asker('incidents'), NEW.id), true);
    RETURN NEW;
END $$;
CREATE TRIGGER keep_in_sight BEFORE INSERT ON incident FOR EACH ROW
    WHEN (current_setting('patriot.role', true) <> '') EXECUTE FUNCTION keep_in_sight();

-- What they see --------------------------------------------------------------------------------------------------
--
-- (SELECT …) around each question makes PostgreSQL ask it once per statement and not once per row.

CREATE POLICY scope ON incident TO patriot_desk USING (
    (SELECT asker_sees_all())
    OR id = ANY ((SELECT asker_list('incidents'))::text[])
    OR (
        (SELECT asker('area')) IN ('*', kecamatan, kelurahan)
        AND (
            (SELECT asker('agencies')) = '*'
            OR regency || '/' || agency = ANY ((SELECT asker_list('agencies'))::text[])
            OR co_agencies && (SELECT asker_list('agencies'))
        )
    )
);
CREATE POLICY opened ON incident FOR INSERT TO patriot_desk WITH CHECK (
    (SELECT asker('role')) NOT IN ('area_head', 'executive')
);

-- A citizen sees the own report alone, though the incident is everybody's.
CREATE POLICY scope ON report TO patriot_desk USING (
    (SELECT asker_sees_all())
    OR tracking_code = (SELECT asker('code'))
    OR ((SELECT asker('code')) IS NULL AND EXISTS (SELECT FROM incident i WHERE i.id = incident_id))
);
CREATE POLICY scope ON report_move TO patriot_desk USING (
    (SELECT asker_sees_all()) OR EXISTS (SELECT FROM report r WHERE r.id = report_id)
);
CREATE POLICY scope ON feedback TO patriot_desk USING (
    (SELECT asker_sees_all()) OR EXISTS (SELECT FROM report r WHERE r.id = report_id)
);

-- Names and numbers of citizens: for those who talk with them.
CREATE POLICY scope ON contact FOR SELECT TO patriot_desk USING (
    (SELECT asker('role')) IN ('agent', 'operator', 'supervisor')
    AND EXISTS (SELECT FROM report r WHERE r.id = report_id)
);

CREATE POLICY scope ON incident_history TO patriot_desk USING (
    (SELECT asker_sees_all()) OR EXISTS (SELECT FROM incident i WHERE i.id = incident_id)
);
CREATE POLICY scope ON incident_decision TO patriot_desk USING (
    (SELECT asker_sees_all()) OR EXISTS (SELECT FROM incident i WHERE i.id = incident_id)
);
CREATE POLICY scope ON incident_evidence TO patriot_desk USING (
    (SELECT asker_sees_all()) OR EXISTS (SELECT FROM incident i WHERE i.id = incident_id)
);
CREATE POLICY scope ON deadline TO patriot_desk USING (
    (SELECT asker_sees_all()) OR EXISTS (SELECT FROM incident i WHERE i.id = incident_id)
);

CREATE POLICY scope ON offering TO patriot_desk USING (
    (SELECT asker_sees_all()) OR EXISTS (SELECT FROM incident i WHERE i.id = incident_id)
);

-- Officers: of one's agencies, of those that work on what is open, and oneself. Council and directors see no names.
CREATE POLICY scope ON officer TO patriot_desk USING (
    (SELECT asker('role')) <> 'executive'
    AND (
        (SELECT asker_sees_all())
        OR ((SELECT asker('area')) = '*' AND regency || '/' || agency = ANY ((SELECT asker_list('agencies'))::text[]))
        OR regency || '/' || agency = ANY ((SELECT asker_list('helpers'))::text[])
        OR username = (SELECT asker('name'))
    )
);
-- IN, for whose list is made once and not for each of a roster's rows.
CREATE POLICY scope ON shift TO patriot_desk USING (
    (SELECT asker_sees_all()) OR officer IN (SELECT o.username FROM officer o)
);
-- All work of an officer in sight, wherever it lies: whether somebody is busy must not depend on who asks.
CREATE POLICY scope ON assignment TO patriot_desk USING (
    (SELECT asker_sees_all())
    OR EXISTS (SELECT FROM officer o WHERE o.username = officer)
    OR EXISTS (SELECT FROM incident i WHERE i.id = incident_id)
);
CREATE POLICY scope ON assignment_history TO patriot_desk USING (
    (SELECT asker_sees_all()) OR EXISTS (SELECT FROM assignment a WHERE a.id = assignment_id)
);

CREATE POLICY scope ON command_receipt TO patriot_desk USING (
    caller = (SELECT asker('name')) OR (SELECT asker('role')) = 'housekeeping'
);

-- Everybody who signs people in reads accounts and keys; administrators write them, and people their own.
CREATE POLICY sign_in ON account FOR SELECT USING (true);
CREATE POLICY made ON account FOR INSERT TO patriot_desk WITH CHECK ((SELECT asker('role')) = 'admin');
CREATE POLICY own ON account FOR UPDATE TO patriot_desk USING (
    (SELECT asker('role')) = 'admin' OR username = (SELECT asker('name'))
);
CREATE POLICY sign_in ON device_key FOR SELECT USING (true);
CREATE POLICY made ON device_key FOR INSERT TO patriot_desk WITH CHECK ((SELECT asker('role')) = 'admin');
CREATE POLICY revoked ON device_key FOR UPDATE TO patriot_desk USING ((SELECT asker('role')) = 'admin');
CREATE POLICY own ON recovery_code TO patriot_desk USING (
    (SELECT asker('role')) = 'admin' OR username = (SELECT asker('name'))
);
CREATE POLICY own ON password_reset TO patriot_desk USING (
    (SELECT asker('role')) IN ('admin', 'reset', 'housekeeping') OR username = (SELECT asker('name'))
);

-- The engine works for the whole city.
DO $$
DECLARE
    one text;
BEGIN
    FOREACH one IN ARRAY ARRAY[
        'incident', 'report', 'report_move', 'feedback', 'contact', 'incident_history', 'incident_decision',
        'incident_evidence', 'deadline', 'offering', 'officer', 'shift', 'assignment', 'assignment_history',
        'command_receipt'
    ] LOOP
        EXECUTE format('CREATE POLICY engine ON %I TO patriot_dispatcher USING (true)', one);
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', one);
    END LOOP;
    FOREACH one IN ARRAY ARRAY['account', 'device_key', 'recovery_code', 'password_reset'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', one);
    END LOOP;
END $$;
