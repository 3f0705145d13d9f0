-- Room for erasure.
SELECT 1;
