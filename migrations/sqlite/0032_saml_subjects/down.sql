ALTER TABLE identity_providers DROP COLUMN saml_issuer;
