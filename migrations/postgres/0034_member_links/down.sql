DROP INDEX members_by_link;
ALTER TABLE members DROP COLUMN link;
ALTER TABLE identity_providers DROP COLUMN link_by;
