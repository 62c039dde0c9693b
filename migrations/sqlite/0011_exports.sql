-- A session may have several jobs of one kind: an export in each form.

CREATE TABLE jobs_with_subjects (
    session_id BLOB    NOT NULL REFERENCES sessions (id),
    kind       TEXT    NOT NULL,
    -- Which of several of this kind; empty where there is only one.
    subject    TEXT    NOT NULL,
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
    UNIQUE (session_id, kind, subject)
);
INSERT INTO jobs_with_subjects
    SELECT session_id, kind, '', state, worker, until_at, due_at, begins_at, tries, postponed, again,
        error, progress
    FROM jobs;
DROP TABLE jobs;
ALTER TABLE jobs_with_subjects RENAME TO jobs;
CREATE INDEX jobs_next ON jobs (kind, begins_at) WHERE begins_at IS NOT NULL;
