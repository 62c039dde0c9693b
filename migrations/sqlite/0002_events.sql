-- What happened to each session, and what the janitor must know to clear away.

CREATE TABLE events (
    session_id  BLOB    NOT NULL REFERENCES sessions (id),
    -- Counted from 0 within the session, in the order of writing; bounds the log.
    number      INTEGER NOT NULL,
    -- By the server's clock.
    at          INTEGER NOT NULL,
    -- Where on the session's timeline, of what the candidate's browser reported.
    timeline_ms INTEGER,
    kind        TEXT    NOT NULL,
    -- A JSON object.
    detail      TEXT    NOT NULL,
    UNIQUE (session_id, number)
);

-- The writer's last moment, while it is away.
ALTER TABLE sessions ADD COLUMN away_since INTEGER;
ALTER TABLE sessions ADD COLUMN discarded_at INTEGER;
-- The payloads of a completed session are gone. 0 of one that a crash kept from it.
ALTER TABLE sessions ADD COLUMN payloads_dropped INTEGER NOT NULL DEFAULT 0;

-- Where the newest chunk lies on the timeline. Kept with the items, in the same transaction.
ALTER TABLE segments ADD COLUMN captured_until_ms INTEGER;

-- The history of one status, and how many there are of each.
CREATE INDEX sessions_by_status ON sessions (status, created_at DESC, id DESC);
CREATE INDEX sessions_with_payloads ON sessions (id)
    WHERE status = 'completed' AND payloads_dropped = 0;
