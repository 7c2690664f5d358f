-- What Kafka has of the board, so that a relay sees at its start whether Kafka or PostgreSQL went back in time.

CREATE TABLE feed_mark (
    only_row  boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    topic_id  text NOT NULL,
    seq       bigint NOT NULL,
    record_id text NOT NULL
);
INSERT INTO feed_mark (topic_id, seq, record_id) VALUES ('', 0, '');
COMMENT ON TABLE feed_mark IS
    'dispatcher/outbox_store.py. The last record of bekasi.feed.v1 that Kafka acknowledged: x-seq and ce_id';

-- The broker's time of the newest record that was read: one that is newer, before next_offset, is of another history.
ALTER TABLE consumer_offset ADD COLUMN newest timestamptz;

-- Daily partitions, for a dispatcher that does not own the tables. They run as who migrates.

CREATE FUNCTION add_day(parent text, day date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    col  text := CASE parent WHEN 'seen_event' THEN 'day' ELSE 'observed_at' END;
    name text := format('%s_%s', parent, to_char(day, 'YYYYMMDD'));
BEGIN
    IF parent NOT IN ('seen_event', 'traffic_reading', 'wifi_reading') THEN
        RAISE EXCEPTION 'no table of days: %', parent;
    END IF;
    IF to_regclass(name) IS NOT NULL THEN
        RETURN false;
    END IF;
    -- Beside the table first, so that rows that have landed in the default partition can move over.
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', name, parent);
    EXECUTE format('WITH moved AS (DELETE FROM %I WHERE %I >= %L AND %I < %L RETURNING *) INSERT INTO %I SELECT * FROM moved',
                   parent || '_default', col, day, col, day + 1, name);
    EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, name, day, day + 1);
    RETURN true;
END $$;

CREATE FUNCTION drop_day(parent text, day date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF parent NOT IN ('seen_event', 'traffic_reading', 'wifi_reading') OR day >= current_date - 7 THEN
        RAISE EXCEPTION 'not a day to drop: % of %', day, parent;
    END IF;
    EXECUTE format('DROP TABLE %I', format('%s_%s', parent, to_char(day, 'YYYYMMDD')));
END $$;

REVOKE ALL ON FUNCTION add_day(text, date), drop_day(text, date) FROM PUBLIC;
