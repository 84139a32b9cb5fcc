-- Of the processes on a database one sends a stream at a time: `holder` is that process's id, until `held_until`.
ALTER TABLE log_streams ADD COLUMN holder TEXT NOT NULL DEFAULT '';
ALTER TABLE log_streams ADD COLUMN held_until BIGINT NOT NULL DEFAULT 0;
