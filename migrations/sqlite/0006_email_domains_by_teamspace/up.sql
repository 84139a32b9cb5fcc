-- A teamspace's domains are read with it.
CREATE INDEX email_domains_by_teamspace ON email_domains (teamspace_id);
