-- Who is told what: an outbox of their own for messages to staff and citizens.

CREATE TABLE notification_move (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    incident_id   text NOT NULL,
    assignment_id text,
    version       int NOT NULL,
    try_after     timestamptz NOT NULL DEFAULT clock_timestamp(),
    at            timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE notification_move IS
    'dispatcher/notification_store.py. Moves that somebody is to be told of, written in the transaction of the move and '
    'deleted in the one that writes its notifications; version: of the incident''s or the assignment''s history';

CREATE TABLE notification (
    seq             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id              text NOT NULL UNIQUE,
    move            text NOT NULL,
    incident_id     text NOT NULL,
    assignment_id   text,
    receiver        text NOT NULL,
    channel         text NOT NULL,
    template        text NOT NULL,
    fields          jsonb NOT NULL,
    matter          text,
    urgent          boolean NOT NULL,
    alone           boolean NOT NULL,
    state           text NOT NULL CHECK (state IN ('waiting', 'sending', 'sent', 'failed', 'suppressed')),
    send_after      timestamptz NOT NULL,
    give_up_at      timestamptz NOT NULL,
    attempts        int NOT NULL DEFAULT 0,
    lease_until     timestamptz,
    bundle          text,
    came_back       text,
    created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    done_at         timestamptz,
    acknowledged_at timestamptz,
    acknowledged_by text,
    UNIQUE (move, receiver, channel)
);
CREATE INDEX notification_waiting ON notification (channel, send_after, seq) WHERE state = 'waiting';
CREATE INDEX notification_sending ON notification (channel, lease_until) WHERE state = 'sending';
CREATE INDEX notification_bundle ON notification (bundle) WHERE state IN ('waiting', 'sending');
CREATE INDEX notification_receiver ON notification (receiver, seq DESC);
CREATE INDEX notification_matter ON notification (matter) WHERE matter IS NOT NULL;
CREATE INDEX notification_created ON notification USING brin (created_at);
COMMENT ON TABLE notification IS
    'dispatcher/notification_store.py. One row per move, receiver and channel. receiver: user:<username>, '
    'report:<report id> or group:<audience>; channel desk is what staff read on their screens. matter: what an '
    'acknowledgement settles for everybody; bundle: the id under which it went out together with others. No name, '
    'phone, e-mail or words of a citizen are in it';

CREATE TABLE push_subscription (
    id         text PRIMARY KEY,
    receiver   text NOT NULL,
    endpoint   text NOT NULL,
    p256dh     text NOT NULL,
    auth       text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (receiver, endpoint)
);
CREATE INDEX push_subscription_endpoint ON push_subscription (endpoint);
COMMENT ON TABLE push_subscription IS
    'dispatcher/subscription_store.py. Browsers that take web push; receiver: user:<username> or code:<tracking code>';

CREATE TABLE notification_setting (
    receiver   text PRIMARY KEY,
    language   text NOT NULL CHECK (language IN ('id', 'en')),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE notification_setting IS
    'dispatcher/subscription_store.py. In which language somebody is told; no row: Indonesian';

-- "I have it": settles the matter for everybody. The caller's own notifications alone; whose they are is what the desk
-- has said of the asker, not a parameter.
CREATE FUNCTION acknowledge_notification(notification_id text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    own notification;
BEGIN
    SELECT * INTO own FROM notification
     WHERE id = notification_id AND channel = 'desk' AND state = 'sent' AND receiver = 'user:' || asker('name');
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    UPDATE notification SET acknowledged_at = clock_timestamp(), acknowledged_by = asker('name')
     WHERE acknowledged_at IS NULL AND (seq = own.seq OR matter = own.matter);
    UPDATE notification SET state = 'suppressed', came_back = 'acknowledged', done_at = clock_timestamp()
     WHERE matter = own.matter AND state = 'waiting';
    RETURN true;
END $$;
REVOKE ALL ON FUNCTION acknowledge_notification(text) FROM PUBLIC;

-- People see what they were told; a citizen's code opens the subscriptions made with it.
CREATE POLICY own ON notification FOR SELECT TO patriot_desk USING (receiver = 'user:' || (SELECT asker('name')));
CREATE POLICY told ON notification_move FOR INSERT TO patriot_desk WITH CHECK (true);
CREATE POLICY own ON push_subscription TO patriot_desk USING (
    receiver = 'user:' || (SELECT asker('name')) OR receiver = 'code:' || (SELECT asker('code'))
);
CREATE POLICY own ON notification_setting TO patriot_desk USING (
    receiver = 'user:' || (SELECT asker('name')) OR receiver = 'code:' || (SELECT asker('code'))
);
CREATE POLICY engine ON notification_move TO patriot_dispatcher USING (true);
CREATE POLICY engine ON notification TO patriot_dispatcher USING (true);
CREATE POLICY engine ON push_subscription TO patriot_dispatcher USING (true);
CREATE POLICY engine ON notification_setting TO patriot_dispatcher USING (true);
ALTER TABLE notification_move ENABLE ROW LEVEL SECURITY;
ALTER TABLE notification ENABLE ROW LEVEL SECURITY;
ALTER TABLE push_subscription ENABLE ROW LEVEL SECURITY;
ALTER TABLE notification_setting ENABLE ROW LEVEL SECURITY;
