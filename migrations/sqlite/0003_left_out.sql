-- Recorder runs that the recording could not take in. As long as there are any, the payloads stay:
-- those of such a run are nowhere else.
ALTER TABLE sessions ADD COLUMN recording_left_out INTEGER NOT NULL DEFAULT 0;

DROP INDEX sessions_with_payloads;
CREATE INDEX sessions_with_payloads ON sessions (id)
    WHERE status = 'completed' AND payloads_dropped = 0 AND recording_left_out = 0;
