-- name: wrapped_data_keys
-- The wrapped data keys of one shard, in the order of their pseudonyms.
SELECT shard, pseudonym, wrapped FROM subject_key WHERE shard = $1 AND pseudonym > $2 ORDER BY pseudonym LIMIT $3;

-- name: rewrap_data_key
-- Puts a newly wrapped data key in the place of the one that was read.
UPDATE subject_key SET wrapped = $4 WHERE shard = $1 AND pseudonym = $2 AND wrapped = $3;

-- name: wrapped_daily_keys
-- The wrapped keys of days.
SELECT day, wrapped FROM daily_key;

-- name: rewrap_daily_key
-- Puts a newly wrapped daily key in the place of the one that was read.
UPDATE daily_key SET wrapped = $3 WHERE day = $1 AND wrapped = $2;

-- name: wrapped_settings
-- The sealed settings of connections.
SELECT id, settings FROM connection;

-- name: rewrap_settings
-- Puts newly sealed settings in the place of those that were read.
UPDATE connection SET settings = $3 WHERE id = $1 AND settings = $2;

-- name: wrapped_drafts
-- The sealed draft of the pages.
SELECT one, sealed FROM page_draft;

-- name: rewrap_draft
-- Puts a newly sealed draft in the place of the one that was read.
UPDATE page_draft SET sealed = $3 WHERE one = $1 AND sealed = $2;
