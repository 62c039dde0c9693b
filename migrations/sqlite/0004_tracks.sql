-- The files of a session's tracks, and the pictures among them. They are replaced together with the
-- recording.

-- A track that is the whole recording has no row: its file is the recording.
CREATE TABLE track_files (
    session_id  BLOB    NOT NULL REFERENCES sessions (id),
    track       INTEGER NOT NULL,
    -- Counted from 0. A further one holds recorder runs that do not fit into those before.
    part        INTEGER NOT NULL,
    key         TEXT    NOT NULL,
    mime        TEXT    NOT NULL,
    bytes       INTEGER NOT NULL,
    digest      BLOB    NOT NULL,
    -- NULL of pictures.
    duration_ms INTEGER,
    -- Sound tracks in the file that can be drawn.
    sounds      INTEGER NOT NULL,
    UNIQUE (session_id, track, part)
);

-- Pictures, each a JPEG in the file of its track.
CREATE TABLE frames (
    session_id BLOB    NOT NULL REFERENCES sessions (id),
    -- Counted from 0 within the session, in the order of time.
    number     INTEGER NOT NULL,
    track      INTEGER NOT NULL,
    -- On the session's timeline, and in the recording.
    at_ms      INTEGER NOT NULL,
    place_ms   INTEGER NOT NULL,
    first_byte INTEGER NOT NULL,
    bytes      INTEGER NOT NULL,
    UNIQUE (session_id, number)
);

-- What the first file of its track holds of a recorder run; its duration is the most that any holds.
ALTER TABLE segments ADD COLUMN in_file_ms INTEGER;
UPDATE segments SET in_file_ms = duration_ms;

-- The pauses of a recorder run in that file.
CREATE TABLE pause_cuts (
    session_id BLOB    NOT NULL REFERENCES sessions (id),
    track      INTEGER NOT NULL,
    segment    INTEGER NOT NULL,
    -- When it was over, on the session's timeline.
    over_ms    INTEGER NOT NULL,
    -- So much of the run comes before it.
    before_ms  INTEGER NOT NULL,
    UNIQUE (session_id, track, segment, over_ms)
);

-- The chunks of each recorder run, marked or not: where the first and the last of them lie on the
-- timeline. Kept with the items, in the same transaction.
CREATE TABLE chunk_runs (
    session_id  BLOB    NOT NULL REFERENCES sessions (id),
    track       INTEGER NOT NULL,
    segment     INTEGER NOT NULL,
    first_at_ms INTEGER NOT NULL,
    last_at_ms  INTEGER NOT NULL,
    UNIQUE (session_id, track, segment)
);
INSERT INTO chunk_runs
    SELECT session_id, track, segment, min(at_ms), max(at_ms) FROM items WHERE kind = 'chunk'
    GROUP BY session_id, track, segment;
ALTER TABLE segments DROP COLUMN captured_until_ms;
