-- First light: what is needed for one report to reach the wall and an officer.
-- One writer per table: each table's comment names the file that writes it.

-- Who may do what ------------------------------------------------------------------------------------------------

CREATE TABLE account (
    username      text PRIMARY KEY CHECK (username ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    display_name  text NOT NULL,
    role          text NOT NULL,
    password_hash text NOT NULL,
    agencies      text[] NOT NULL DEFAULT '{}',
    kecamatan     text,
    created_at    timestamptz NOT NULL DEFAULT now(),
    disabled_at   timestamptz
);
COMMENT ON TABLE account IS 'dispatcher/desk/accounts.py. agencies: REGENCY/CODE pairs; empty is the whole city';

CREATE TABLE session (
    token_hash bytea PRIMARY KEY,
    username   text NOT NULL REFERENCES account ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);
CREATE INDEX session_username ON session (username);
CREATE INDEX session_expires ON session (expires_at);
COMMENT ON TABLE session IS 'dispatcher/desk/accounts.py';

CREATE TABLE device_key (
    id         text PRIMARY KEY,
    name       text NOT NULL,
    key_hash   bytea NOT NULL UNIQUE,
    scopes     text[] NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz
);
COMMENT ON TABLE device_key IS 'dispatcher/desk/accounts.py';

CREATE TABLE officer (
    username    text PRIMARY KEY REFERENCES account ON DELETE CASCADE,
    name        text NOT NULL,
    regency     text NOT NULL,
    agency      text NOT NULL,
    status      text NOT NULL DEFAULT 'off_duty',
    lat         double precision,
    lon         double precision,
    accuracy_m  double precision,
    position_at timestamptz,
    updated_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX officer_available ON officer (regency, agency) WHERE status = 'available';
COMMENT ON TABLE officer IS 'dispatcher/officer_store.py';

-- From Kafka -----------------------------------------------------------------------------------------------------

CREATE TABLE consumer_offset (
    consumer    text NOT NULL,
    topic       text NOT NULL,
    topic_id    text NOT NULL,
    partition   int NOT NULL,
    epoch       bigint NOT NULL DEFAULT 0,
    next_offset bigint NOT NULL,
    as_of       timestamptz,
    PRIMARY KEY (consumer, topic, partition)
) WITH (fillfactor = 30);
COMMENT ON TABLE consumer_offset IS
    'dispatcher/offset_store.py. The epoch names the owner; as_of: everything acknowledged until then is contained. '
    'topic_id is empty where nobody has read the partition yet';

CREATE TABLE seen_event (
    day date NOT NULL,
    id  text NOT NULL,
    PRIMARY KEY (day, id)
) PARTITION BY RANGE (day);
CREATE TABLE seen_event_default PARTITION OF seen_event DEFAULT;
COMMENT ON TABLE seen_event IS 'dispatcher/seen_store.py. Event ids by the day of ce_time: what offsets cannot catch';

CREATE TABLE dead_letter (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic         text NOT NULL,
    topic_id      text NOT NULL,
    partition     int NOT NULL,
    "offset"      bigint NOT NULL,
    key           bytea,
    value         bytea,
    headers       jsonb NOT NULL,
    error_class   text NOT NULL,
    error_message text NOT NULL,
    at            timestamptz NOT NULL DEFAULT now(),
    state         text NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'replayed', 'dropped')),
    replays       int NOT NULL DEFAULT 0,
    UNIQUE (topic, topic_id, partition, "offset")
);
CREATE INDEX dead_letter_state ON dead_letter (state, id);
COMMENT ON TABLE dead_letter IS 'dispatcher/dead_letter_store.py. headers: [[name, base64 or null], …]';

CREATE TABLE breaker (
    consumer  text PRIMARY KEY,
    opened_at timestamptz NOT NULL,
    reason    text NOT NULL
);
COMMENT ON TABLE breaker IS 'dispatcher/breaker.py. A row stops that worker until `patriot dlq resume` deletes it';

CREATE TABLE outbox (
    seq           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id            uuid NOT NULL DEFAULT gen_random_uuid(),
    aggregatetype text NOT NULL,
    aggregateid   text NOT NULL,
    type          text NOT NULL,
    payload       bytea,
    headers       jsonb NOT NULL DEFAULT '{}',
    traceparent   text NOT NULL,
    shard         int NOT NULL DEFAULT 0,
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
CREATE INDEX outbox_shard ON outbox (shard, seq);
COMMENT ON TABLE outbox IS
    'dispatcher/outbox_store.py. Debezium''s column names: aggregatetype is the topic, aggregateid the Kafka key';

-- The work -------------------------------------------------------------------------------------------------------

CREATE TABLE incident (
    id              text PRIMARY KEY,
    version         int NOT NULL,
    category        text NOT NULL,
    title           text NOT NULL,
    status          text NOT NULL,
    priority        text NOT NULL,
    regency         text,
    agency          text,
    co_agencies     text[] NOT NULL DEFAULT '{}',
    kecamatan       text,
    kelurahan       text,
    lat             double precision,
    lon             double precision,
    place_precision text NOT NULL,
    cell            bigint,
    address         text,
    named_places    text[] NOT NULL DEFAULT '{}',
    transferred_to  text,
    opened_at       timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    received_at     timestamptz NOT NULL,
    last_report_at  timestamptz NOT NULL,
    first_look_due_at timestamptz,
    due_at          timestamptz,
    resolved_at     timestamptz,
    ended_at        timestamptz,
    report_count    int NOT NULL DEFAULT 0,
    sources         text[] NOT NULL DEFAULT '{}',
    confidence      double precision NOT NULL,
    evidence        double precision NOT NULL DEFAULT 0,
    officers        jsonb NOT NULL DEFAULT '[]',
    photo_url       text,
    predecessor     text REFERENCES incident,
    on_board        boolean NOT NULL DEFAULT true
);
COMMENT ON TABLE incident IS
    'dispatcher/incident_store.py. cell: 500 m grid cell of the place (dispatcher/decisions/cells.py); predecessor: the locked '
    'incident that this one follows';
CREATE INDEX incident_joinable ON incident (cell, category)
    WHERE status NOT IN ('closed', 'rejected', 'merged', 'transferred');
CREATE INDEX incident_updated ON incident (updated_at DESC, id DESC);
CREATE INDEX incident_agency_updated ON incident (regency, agency, updated_at DESC, id DESC);
CREATE INDEX incident_status ON incident (status, updated_at DESC, id DESC);

CREATE TABLE report (
    id             text PRIMARY KEY,
    tracking_code  text NOT NULL UNIQUE,
    incident_id    text NOT NULL REFERENCES incident,
    channel        text NOT NULL,
    category       text,
    description    text NOT NULL,
    lat            double precision,
    lon            double precision,
    address        text,
    regency        text,
    kecamatan      text,
    kelurahan      text,
    photos         jsonb NOT NULL DEFAULT '[]',
    submitted_by   text,
    observed_at    timestamptz,
    submitted_at   timestamptz NOT NULL,
    received_at    timestamptz NOT NULL
);
CREATE INDEX report_incident ON report (incident_id, received_at);
CREATE INDEX report_received ON report USING brin (received_at);
COMMENT ON TABLE report IS 'dispatcher/report_store.py. Without who reported: that is in contact';

CREATE TABLE contact (
    report_id text PRIMARY KEY,
    name      text,
    phone     text,
    email     text,
    anonymous boolean NOT NULL,
    given_at  timestamptz NOT NULL
);
COMMENT ON TABLE contact IS 'dispatcher/report_store.py. Personal data; may arrive before its report, so no foreign key';

CREATE TABLE incident_history (
    incident_id text NOT NULL REFERENCES incident,
    version     int NOT NULL,
    change      text NOT NULL,
    status      text NOT NULL,
    actor       text NOT NULL,
    at          timestamptz NOT NULL,
    device_at   timestamptz,
    note        text,
    public      boolean NOT NULL DEFAULT false,
    detail      jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (incident_id, version)
);
COMMENT ON TABLE incident_history IS 'dispatcher/incident_store.py. Appended, never edited; one row per version';

CREATE TABLE incident_decision (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    incident_id text NOT NULL REFERENCES incident,
    report_id   text,
    judgement   text NOT NULL,
    outcome     text NOT NULL,
    score       double precision,
    because     text[] NOT NULL,
    at          timestamptz NOT NULL
);
CREATE INDEX incident_decision_incident ON incident_decision (incident_id, id);
COMMENT ON TABLE incident_decision IS 'dispatcher/incident_store.py. Why: judgement is classify, locate, correlate, …';

CREATE TABLE incident_evidence (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    incident_id text NOT NULL REFERENCES incident,
    source      text NOT NULL,
    source_id   text NOT NULL,
    weight      double precision NOT NULL,
    at          timestamptz NOT NULL,
    detail      text NOT NULL DEFAULT ''
);
CREATE INDEX incident_evidence_incident ON incident_evidence (incident_id, at);
COMMENT ON TABLE incident_evidence IS 'dispatcher/incident_store.py';

CREATE TABLE assignment (
    id            text PRIMARY KEY,
    version       int NOT NULL,
    incident_id   text NOT NULL REFERENCES incident,
    officer       text NOT NULL REFERENCES officer,
    status        text NOT NULL,
    because       text[] NOT NULL DEFAULT '{}',
    offered_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    answer_due_at timestamptz,
    accepted_at   timestamptz,
    on_scene_at   timestamptz,
    completed_at  timestamptz,
    note          text,
    photo_ids     text[] NOT NULL DEFAULT '{}'
);
CREATE INDEX assignment_incident ON assignment (incident_id);
CREATE INDEX assignment_officer ON assignment (officer, updated_at DESC);
CREATE UNIQUE INDEX assignment_one_active ON assignment (incident_id, officer)
    WHERE status IN ('offered', 'accepted', 'en_route', 'on_scene');
COMMENT ON TABLE assignment IS 'dispatcher/assignment_store.py';

CREATE TABLE assignment_history (
    assignment_id text NOT NULL REFERENCES assignment,
    version       int NOT NULL,
    status        text NOT NULL,
    actor         text NOT NULL,
    at            timestamptz NOT NULL,
    device_at     timestamptz,
    lat           double precision,
    lon           double precision,
    reason        text,
    PRIMARY KEY (assignment_id, version)
);
COMMENT ON TABLE assignment_history IS 'dispatcher/assignment_store.py. Appended, never edited';

CREATE TABLE command_receipt (
    endpoint   text NOT NULL,
    caller     text NOT NULL,
    key        text NOT NULL,
    digest     bytea NOT NULL,
    status     int NOT NULL,
    body       bytea NOT NULL,
    at         timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (endpoint, caller, key)
);
CREATE INDEX command_receipt_at ON command_receipt (at);
COMMENT ON TABLE command_receipt IS 'dispatcher/desk/receipts.py. Answers given to an Idempotency-Key, for 7 days';

CREATE TABLE deadline (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    incident_id text NOT NULL REFERENCES incident,
    kind        text NOT NULL,
    due_at      timestamptz NOT NULL,
    fired_at    timestamptz,
    UNIQUE (incident_id, kind)
);
CREATE INDEX deadline_due ON deadline (due_at) WHERE fired_at IS NULL;
COMMENT ON TABLE deadline IS 'dispatcher/deadline_store.py. Claimed with SKIP LOCKED; each fires once';

CREATE TABLE pulse (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    at       timestamptz NOT NULL
);
INSERT INTO pulse VALUES (true, '-infinity');
COMMENT ON TABLE pulse IS 'dispatcher/pulse.py. When the last pulse was sent, so that of many workers one sends it';

CREATE TABLE kpi (
    name  text PRIMARY KEY,
    value double precision,
    unit  text NOT NULL,
    at    timestamptz NOT NULL
);
COMMENT ON TABLE kpi IS 'dispatcher/kpis.py. Each key figure as it was last sent to the board';

-- Telemetry ------------------------------------------------------------------------------------------------------

CREATE TABLE sensor (
    id            text PRIMARY KEY,
    registered    boolean NOT NULL DEFAULT false,
    lat           double precision,
    lon           double precision,
    segment       text,
    direction     text,
    free_flow_kmh double precision,
    speed_kmh     double precision,
    level         text NOT NULL DEFAULT 'unknown',
    observed_at   timestamptz NOT NULL,
    received_at   timestamptz NOT NULL,
    detection     jsonb NOT NULL DEFAULT '{}',
    incident_id   text REFERENCES incident
);
COMMENT ON TABLE sensor IS 'dispatcher/telemetry_store.py. Newest reading, and the state of detection beside it';

CREATE TABLE wifi_node (
    id          text PRIMARY KEY,
    registered  boolean NOT NULL DEFAULT false,
    lat         double precision,
    lon         double precision,
    uplink      text,
    state       text NOT NULL,
    clients     int,
    observed_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    detection   jsonb NOT NULL DEFAULT '{}',
    incident_id text REFERENCES incident
);
COMMENT ON TABLE wifi_node IS 'dispatcher/telemetry_store.py';

CREATE TABLE traffic_reading (
    sensor_id     text NOT NULL,
    observed_at   timestamptz NOT NULL,
    received_at   timestamptz NOT NULL,
    speed_kmh     double precision,
    occupancy     double precision,
    flow_per_h    double precision,
    travel_time_s double precision,
    PRIMARY KEY (sensor_id, observed_at)
) PARTITION BY RANGE (observed_at);
CREATE TABLE traffic_reading_default PARTITION OF traffic_reading DEFAULT;
CREATE INDEX traffic_reading_observed ON traffic_reading USING brin (observed_at);
COMMENT ON TABLE traffic_reading IS 'dispatcher/telemetry_store.py. Daily partitions; retention drops them';

CREATE TABLE wifi_reading (
    node_id     text NOT NULL,
    observed_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    state       text NOT NULL,
    clients     int NOT NULL,
    rx_mbps     double precision,
    tx_mbps     double precision,
    PRIMARY KEY (node_id, observed_at)
) PARTITION BY RANGE (observed_at);
CREATE TABLE wifi_reading_default PARTITION OF wifi_reading DEFAULT;
CREATE INDEX wifi_reading_observed ON wifi_reading USING brin (observed_at);
COMMENT ON TABLE wifi_reading IS 'dispatcher/telemetry_store.py. Daily partitions; retention drops them';

-- Daily partitions are made ahead of the days they hold, so that the default partitions stay empty.
CREATE FUNCTION make_daily_partitions(parent regclass, first date, last date) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    day  date := first;
    made int := 0;
    name text;
BEGIN
    WHILE day <= last LOOP
        name := format('%s_%s', parent::text, to_char(day, 'YYYYMMDD'));
        IF to_regclass(name) IS NULL THEN
            EXECUTE format('CREATE TABLE %I PARTITION OF %s FOR VALUES FROM (%L) TO (%L)', name, parent, day, day + 1);
            made := made + 1;
        END IF;
        day := day + 1;
    END LOOP;
    RETURN made;
END $$;

SELECT make_daily_partitions('seen_event', current_date - 1, current_date + 7);
SELECT make_daily_partitions('traffic_reading', current_date - 8, current_date + 7);
SELECT make_daily_partitions('wifi_reading', current_date - 8, current_date + 7);
