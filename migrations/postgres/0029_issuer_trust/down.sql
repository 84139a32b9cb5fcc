DROP TABLE trust_changes;
DROP TABLE issuer_keys;
