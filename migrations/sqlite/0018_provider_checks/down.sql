DROP TABLE provider_checks;
