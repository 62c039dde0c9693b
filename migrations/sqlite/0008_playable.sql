-- A recording can be played before its digest is known, which is that of the file of the whole. Those of
-- the tracks' files were never shown.

ALTER TABLE track_files DROP COLUMN digest;
