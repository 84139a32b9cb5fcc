-- Whether the identity provider deactivated the member by SCIM. Only then does it bring them back: a suspension by an
-- administrator stays.
ALTER TABLE scim_users ADD COLUMN deactivated BOOLEAN NOT NULL DEFAULT FALSE;
