-- Everybody is asked for by key, so statistics hardly change a plan, and taking them reads thirty thousand pages of a large table. At a
-- fiftieth of the rows that was every fourteen seconds for each table while a list was imported among a million people.

ALTER TABLE subject RESET (autovacuum_analyze_scale_factor);
ALTER TABLE work RESET (autovacuum_analyze_scale_factor);
