-- The loudest sample of the recording's sound, 0 to 32,768; known once the sound has been drawn. NULL:
-- not known, or without sound.
ALTER TABLE sessions ADD COLUMN recording_loudest INTEGER;
