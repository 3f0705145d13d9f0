-- Room for speed.
SELECT 1;
