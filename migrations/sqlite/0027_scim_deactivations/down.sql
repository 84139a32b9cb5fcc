ALTER TABLE scim_users DROP COLUMN deactivated;
