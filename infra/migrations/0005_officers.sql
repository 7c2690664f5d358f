-- Who works when, what they can do, and how they are asked.

-- What an officer has done lately stands on the officer, so that choosing one of thousands reads no work.
ALTER TABLE officer
    ADD COLUMN skills         text[] NOT NULL DEFAULT '{}',
    ADD COLUMN open_offers    int NOT NULL DEFAULT 0,
    ADD COLUMN accepted_on    date,
    ADD COLUMN accepted_count int NOT NULL DEFAULT 0,
    ADD COLUMN work_ended_at  timestamptz;
COMMENT ON COLUMN officer.accepted_count IS 'On the day accepted_on, in Jakarta';
-- A person has asked for just this officer.
ALTER TABLE assignment ADD COLUMN named boolean NOT NULL DEFAULT false;

-- What an officer does now.
CREATE INDEX assignment_active ON assignment (officer) WHERE status IN ('offered', 'accepted', 'en_route', 'on_scene');

CREATE TABLE shift (
    id         text PRIMARY KEY,
    officer    text NOT NULL REFERENCES officer ON DELETE CASCADE,
    starts_at  timestamptz NOT NULL,
    ends_at    timestamptz NOT NULL CHECK (ends_at > starts_at),
    kecamatan  text,
    put_by     text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX shift_officer ON shift (officer, ends_at);
CREATE INDEX shift_ends ON shift (ends_at, id);
COMMENT ON TABLE shift IS
    'dispatcher/shift_store.py. The roster; kecamatan null: anywhere in the regency. Shifts of one officer never overlap';

CREATE TABLE offering (
    incident_id text PRIMARY KEY REFERENCES incident ON DELETE CASCADE,
    agency      text NOT NULL,
    state       text NOT NULL,
    officers    int NOT NULL,
    skills      text[] NOT NULL DEFAULT '{}',
    began_at    timestamptz NOT NULL,
    changed_at  timestamptz NOT NULL
);
COMMENT ON TABLE offering IS
    'dispatcher/offering_store.py. How officers are being asked for an incident; no row: nobody is, or a person names them';
