-- Nothing to undo: an earlier version adds up what there is.
SELECT 1;
