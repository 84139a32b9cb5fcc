ALTER TABLE changes DROP COLUMN follows;
ALTER TABLE generation DROP COLUMN issued_from;
ALTER TABLE generation DROP COLUMN sweep_horizon;
ALTER TABLE generation DROP COLUMN tag;
