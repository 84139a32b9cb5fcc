-- The table itself refuses the long keys of older versions. For a table with a trigger SQLite prepares each insert to be
-- undone by itself, and copies the page that it changes first.
CREATE TABLE used_assertions_kept AS SELECT * FROM used_assertions;
DROP TABLE used_assertions;
CREATE TABLE used_assertions (
    assertion TEXT NOT NULL PRIMARY KEY
        CONSTRAINT "the database is of a newer version" CHECK (length(assertion) <= 22),
    expires_at BIGINT NOT NULL
) WITHOUT ROWID;
INSERT INTO used_assertions SELECT * FROM used_assertions_kept ORDER BY assertion;
DROP TABLE used_assertions_kept;
