-- The identity provider as SAML names it, whose NameIDs assertions bring in `sub_id`.
ALTER TABLE identity_providers ADD COLUMN saml_issuer TEXT;
