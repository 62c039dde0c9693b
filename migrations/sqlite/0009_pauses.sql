-- What the timeline of a session is built from, beside its segments and chunks: in rows of its own, for
-- the log of events is bounded over events of all kinds.

-- When recording was paused, and when it went on. Kept with the items, in the same transaction.
CREATE TABLE pauses (
    session_id BLOB    NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    -- Counted from 0 within the session, in the order of writing; bounds them. One with the number
    -- 20000 only says that there were more.
    number     INTEGER NOT NULL,
    -- On the session's timeline.
    at_ms      INTEGER NOT NULL,
    -- 1 where recording went on.
    is_over    INTEGER NOT NULL,
    UNIQUE (session_id, number)
);

-- When the server was in reach of the candidate's browser, and when it was not.
CREATE TABLE connections (
    session_id BLOB    NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    -- As that of a pause.
    number     INTEGER NOT NULL,
    -- By the server's clock.
    at         INTEGER NOT NULL,
    -- Since when it had been out of reach; NULL where it came into reach.
    lost_since INTEGER,
    UNIQUE (session_id, number)
);

-- What the browser said of the end of a recorder run. Kept with the items, in the same transaction.
CREATE TABLE segment_ends (
    session_id BLOB    NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    track      INTEGER NOT NULL,
    segment    INTEGER NOT NULL,
    -- On the session's timeline.
    at_ms      INTEGER NOT NULL,
    cause      TEXT    NOT NULL,
    UNIQUE (session_id, track, segment)
);

-- Why a recorder run began; NULL where the log did not hold it.
ALTER TABLE segments ADD COLUMN start_cause TEXT;

-- All that the logs of earlier sessions still hold.

INSERT INTO pauses
    SELECT session_id, row_number() OVER (PARTITION BY session_id ORDER BY number) - 1, timeline_ms,
        kind = 'pause_over'
    FROM events WHERE kind IN ('paused', 'pause_over') AND timeline_ms IS NOT NULL;

INSERT INTO connections
    SELECT session_id, row_number() OVER (PARTITION BY session_id ORDER BY number) - 1, at,
        CASE kind WHEN 'connection_lost' THEN at
            WHEN 'resumed' THEN max(at - json_extract(detail, '$.away_ms'), 0) END
    FROM events WHERE kind IN ('connected', 'connection_lost', 'resumed');

INSERT INTO segment_ends
    SELECT session_id, json_extract(detail, '$.track'), json_extract(detail, '$.segment'), timeline_ms,
        json_extract(detail, '$.cause')
    FROM events WHERE kind = 'segment_ended' AND timeline_ms IS NOT NULL ORDER BY number
    ON CONFLICT DO NOTHING;

UPDATE segments SET start_cause = told.cause
    FROM (SELECT session_id, json_extract(detail, '$.track') AS track,
            json_extract(detail, '$.segment') AS segment, json_extract(detail, '$.cause') AS cause
        FROM events WHERE kind = 'segment_started') AS told
    WHERE segments.session_id = told.session_id AND segments.track = told.track
        AND segments.segment = told.segment;

-- Nobody knows what a log that was full has not taken.
INSERT INTO pauses
    SELECT DISTINCT session_id, 20000, 0, 0 FROM events WHERE kind = 'more_not_kept';
INSERT INTO connections
    SELECT DISTINCT session_id, 20000, 0, NULL FROM events WHERE kind = 'more_not_kept';
