-- Sessions, and the ledger of their items. Times are milliseconds since 1970 (UTC) unless the name
-- says otherwise; ids and digests are raw bytes.

CREATE TABLE sessions (
    id                BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    token_hash        BLOB    NOT NULL CHECK (length(token_hash) = 32),
    status            TEXT    NOT NULL CHECK (status IN
        ('active', 'interrupted', 'incomplete', 'finalizing', 'completed', 'failed', 'discarded')),
    -- The newest writer. Items of an older one are refused.
    epoch             INTEGER NOT NULL DEFAULT 0,
    created_at        INTEGER NOT NULL,
    started_at        INTEGER NOT NULL,
    last_heartbeat_at INTEGER NOT NULL,
    completed_at      INTEGER,
    -- When the status changes by itself: the grace period's or the resume window's end.
    deadline_at       INTEGER,
    -- What the writer said was its last item; unknown until it finishes.
    last_seq          INTEGER,
    -- Kept with the items, in the same transaction.
    items             INTEGER NOT NULL DEFAULT 0,
    payload_bytes     INTEGER NOT NULL DEFAULT 0,
    captured_ms       INTEGER NOT NULL DEFAULT 0,
    -- The recording that is there now; a later one replaces it.
    recording_key     TEXT,
    recording_mime    TEXT,
    recording_bytes   INTEGER,
    recording_digest  BLOB,
    recording_ms      INTEGER,
    failure           TEXT
);

CREATE INDEX sessions_newest ON sessions (created_at DESC, id DESC);
CREATE INDEX sessions_due ON sessions (deadline_at) WHERE deadline_at IS NOT NULL;

CREATE TABLE items (
    session_id    BLOB    NOT NULL REFERENCES sessions (id),
    seq           INTEGER NOT NULL,
    at_ms         INTEGER NOT NULL,
    -- 'chunk' or 'marker'
    kind          TEXT    NOT NULL,
    track         INTEGER,
    segment       INTEGER,
    payload_bytes INTEGER NOT NULL,
    digest        BLOB    NOT NULL,
    -- The payload itself, or where it lies. Both are NULL once the recording is durable.
    payload       BLOB,
    payload_place TEXT,
    UNIQUE (session_id, seq)
);

CREATE TABLE segments (
    session_id    BLOB    NOT NULL REFERENCES sessions (id),
    track         INTEGER NOT NULL,
    segment       INTEGER NOT NULL,
    kind          TEXT    NOT NULL,
    mime          TEXT    NOT NULL,
    label         TEXT    NOT NULL,
    started_at_ms INTEGER NOT NULL,
    -- Known once the recording is made.
    duration_ms   INTEGER,
    UNIQUE (session_id, track, segment)
);
