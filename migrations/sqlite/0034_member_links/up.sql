-- The claim by whose value people of this identity provider are linked to members once: a custom claim, or `aud_sub`.
ALTER TABLE identity_providers ADD COLUMN link_by TEXT;
-- The value by which identity providers know the member, with the claim that carries it: `["employee_number","E-17"]`.
ALTER TABLE members ADD COLUMN link TEXT;
CREATE UNIQUE INDEX members_by_link ON members (teamspace_id, link) WHERE link IS NOT NULL;
