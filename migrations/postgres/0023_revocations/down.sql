DROP TABLE scim_users;
DROP TABLE scim_tokens;
ALTER TABLE identity_providers DROP COLUMN logout_client_id;
DROP TABLE kill_switches;
ALTER TABLE resources DROP COLUMN forward_auth_credentials;
ALTER TABLE resources DROP COLUMN required_scopes;
DROP TABLE resource_credentials;
DROP TABLE token_uses;
DROP TABLE revocations;
