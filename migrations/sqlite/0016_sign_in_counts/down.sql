DROP TABLE policy_counts;
DROP TABLE last_assertions;
DROP TABLE member_exchanges;
DROP TABLE sign_in_counts;
DELETE FROM log_streams WHERE name = 'sign-in counts';
