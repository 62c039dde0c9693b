-- What comes after the recording was made: it is stored like all the rest, and becomes a supplement.

-- What of the items came then, as `have` is written; and when the first came of which nothing was made yet.
ALTER TABLE sessions ADD COLUMN late TEXT NOT NULL DEFAULT '[]';
ALTER TABLE sessions ADD COLUMN late_since INTEGER;

CREATE TABLE supplements (
    session_id BLOB    NOT NULL REFERENCES sessions (id),
    -- When the first and the last of it came.
    first_at   INTEGER NOT NULL,
    last_at    INTEGER NOT NULL,
    -- The highest number of a recorder run in it.
    last_segment INTEGER,
    -- NULL until it is made, of so many items. Pictures are counted and in no file.
    made_at    INTEGER,
    items      INTEGER NOT NULL DEFAULT 0,
    pictures   INTEGER NOT NULL DEFAULT 0,
    -- Recorder runs that hold something which is in no file.
    left_out   INTEGER NOT NULL DEFAULT 0,
    UNIQUE (session_id)
);

-- As those of the recording; replaced together.
CREATE TABLE supplement_files (
    session_id  BLOB    NOT NULL REFERENCES sessions (id),
    track       INTEGER NOT NULL,
    part        INTEGER NOT NULL,
    -- What is recorded on the track, and by what; NULL where nothing said so.
    kind        TEXT,
    label       TEXT    NOT NULL,
    key         TEXT    NOT NULL,
    mime        TEXT    NOT NULL,
    bytes       INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    UNIQUE (session_id, track, part)
);

CREATE TABLE supplement_left_out (
    session_id BLOB    NOT NULL REFERENCES sessions (id),
    track      INTEGER NOT NULL,
    segment    INTEGER NOT NULL,
    packets    INTEGER NOT NULL,
    bytes      INTEGER NOT NULL,
    why        TEXT    NOT NULL,
    UNIQUE (session_id, track, segment)
);
