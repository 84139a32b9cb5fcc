CREATE TABLE used_assertions_kept AS SELECT * FROM used_assertions;
DROP TABLE used_assertions;
CREATE TABLE used_assertions (
    assertion TEXT NOT NULL PRIMARY KEY,
    expires_at BIGINT NOT NULL
) WITHOUT ROWID;
INSERT INTO used_assertions SELECT * FROM used_assertions_kept ORDER BY assertion;
DROP TABLE used_assertions_kept;
CREATE TRIGGER used_assertions_of_older_versions BEFORE INSERT ON used_assertions
WHEN length(NEW.assertion) = 43
BEGIN
    SELECT RAISE(ABORT, 'the database is of a newer version');
END;
