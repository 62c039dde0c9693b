-- What of each recorder run is in no file, and why. Replaced together with the recording; the sessions
-- row has how many runs they are.
CREATE TABLE left_out (
    session_id BLOB    NOT NULL REFERENCES sessions (id),
    track      INTEGER NOT NULL,
    segment    INTEGER NOT NULL,
    -- As far as they could be counted.
    packets    INTEGER NOT NULL,
    bytes      INTEGER NOT NULL,
    -- In words.
    why        TEXT    NOT NULL,
    UNIQUE (session_id, track, segment)
);
