DROP TABLE console_setup_tokens;
DROP TABLE console_sessions;
