-- By its IANA name: policies read the local time.
ALTER TABLE teamspaces ADD COLUMN time_zone TEXT NOT NULL DEFAULT 'UTC';
