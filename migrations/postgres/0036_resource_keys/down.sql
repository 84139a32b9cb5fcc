DELETE FROM resource_credentials WHERE secret_digest = '';
ALTER TABLE resource_credentials DROP COLUMN jwks_uri;
ALTER TABLE resource_credentials DROP COLUMN jwks;
