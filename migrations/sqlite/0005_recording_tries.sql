-- Tries to make the recording that were begun and have not ended, in whatever way. One that is left of
-- a server that is gone ended that server, as far as anybody knows.
ALTER TABLE sessions ADD COLUMN recording_tries INTEGER NOT NULL DEFAULT 0;
-- When the next one may begin; NULL of sessions that may be tried at once.
ALTER TABLE sessions ADD COLUMN recording_not_before INTEGER;
-- 1 while the recording is worked ahead for, 2 once that may have ended a server: never again.
ALTER TABLE sessions ADD COLUMN worked_ahead INTEGER NOT NULL DEFAULT 0;

CREATE INDEX sessions_tried ON sessions (id) WHERE recording_tries > 0 OR worked_ahead = 1;
