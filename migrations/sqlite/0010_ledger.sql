-- What of each session is stored, as ranges, kept with the items; and the work that is due, as rows.

-- Pairs of the first and the last number, as JSON.
ALTER TABLE sessions ADD COLUMN have TEXT NOT NULL DEFAULT '[]';
UPDATE sessions SET have = coalesce((
    SELECT '[' || group_concat('[' || first || ',' || last || ']', ',' ORDER BY first) || ']'
    FROM (SELECT min(seq) AS first, max(seq) AS last
          FROM (SELECT seq, seq - row_number() OVER (ORDER BY seq) AS island
                FROM items WHERE session_id = sessions.id)
          GROUP BY island)), '[]');

-- There is a recording, of whatever was there when it was made.
ALTER TABLE sessions ADD COLUMN playable INTEGER NOT NULL DEFAULT 0;
UPDATE sessions SET playable = recording_key IS NOT NULL;

-- What was thrown away is known for a week; the deadline says when that is over.
UPDATE sessions SET deadline_at = coalesce(discarded_at, last_heartbeat_at) + 604800000
    WHERE status = 'discarded';

CREATE TABLE jobs (
    session_id BLOB    NOT NULL REFERENCES sessions (id),
    kind       TEXT    NOT NULL,
    state      TEXT    NOT NULL CHECK (state IN ('waiting', 'running', 'stopped')),
    -- Whose it is while it runs, and until when.
    worker     INTEGER,
    until_at   INTEGER,
    due_at     INTEGER NOT NULL,
    -- When it may begin if nothing changes; NULL of one that was given up.
    begins_at  INTEGER,
    -- Begun, and not come to an end.
    tries      INTEGER NOT NULL,
    postponed  INTEGER NOT NULL,
    -- Asked for again since it was begun.
    again      INTEGER NOT NULL,
    error      TEXT,
    -- Thousandths.
    progress   INTEGER NOT NULL,
    UNIQUE (session_id, kind)
);
CREATE INDEX jobs_next ON jobs (kind, begins_at) WHERE begins_at IS NOT NULL;

-- What was due when the last version ended.
INSERT INTO jobs (session_id, kind, state, due_at, begins_at, tries, postponed, again, progress)
    SELECT id, 'assemble', 'waiting', 0, 0, recording_tries, 0, 0, 0 FROM sessions
    WHERE status = 'finalizing'
        OR (status = 'incomplete' AND items > 0 AND recording_key IS NULL);
INSERT INTO jobs (session_id, kind, state, due_at, begins_at, tries, postponed, again, progress)
    SELECT id, 'release', 'waiting', 0, 0, 0, 0, 0, 0 FROM sessions
    WHERE status = 'completed' AND payloads_dropped = 0 AND recording_left_out = 0;
INSERT INTO jobs (session_id, kind, state, due_at, begins_at, tries, postponed, again, progress)
    SELECT id, 'erase', 'waiting', 0, 0, 0, 0, 0, 0 FROM sessions WHERE status = 'discarded';

DROP INDEX sessions_with_payloads;
DROP INDEX sessions_tried;
ALTER TABLE sessions DROP COLUMN payloads_dropped;
ALTER TABLE sessions DROP COLUMN recording_tries;
ALTER TABLE sessions DROP COLUMN recording_not_before;

CREATE INDEX sessions_worked_ahead ON sessions (id) WHERE worked_ahead = 1;
-- Who has not been heard of, among those of one status.
CREATE INDEX sessions_silent ON sessions (status, last_heartbeat_at);
