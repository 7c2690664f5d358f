-- Who works when, what they can do, and how they are asked.

ALTER TABLE officer ADD COLUMN skills text[] NOT NULL DEFAULT '{}';
-- A person has asked for just this officer.
ALTER TABLE assignment ADD COLUMN named boolean NOT NULL DEFAULT false;

-- What an agency's officers have done lately, and do now.
CREATE INDEX assignment_updated ON assignment (updated_at DESC, id DESC);
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
