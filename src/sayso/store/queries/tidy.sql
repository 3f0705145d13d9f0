-- name: forget_daily_keys
-- Destroys the keys of days that are over for long enough; what they sealed can never be read again.
DELETE FROM daily_key WHERE day < current_date - $1::integer;

-- name: forget_calls
-- Removes calls of vendors whose key is gone and that were dealt with.
DELETE FROM inbox WHERE day < current_date - $1::integer AND state <> 'new';

-- name: forget_attempts
-- Removes the log of attempts whose key is gone.
DELETE FROM attempt WHERE day < current_date - $1::integer;

-- name: forget_memos
-- Removes stored answers whose key is gone: an idempotency key is honoured for seven days.
DELETE FROM idempotency WHERE day < current_date - $1::integer;

-- name: thin_checkpoints
-- Keeps, of the checkpoints of whole hours that ended more than a day ago, the last of each hour and log; $1 is now in microseconds.
WITH old AS (SELECT log, size, at / 3600000000 AS hour FROM log_checkpoint WHERE at < ($1::bigint - 86400000000) / 3600000000 * 3600000000)
DELETE FROM log_checkpoint
USING old
WHERE log_checkpoint.log = old.log AND log_checkpoint.size = old.size
  AND (old.log, old.hour, old.size) NOT IN (SELECT log, hour, max(size) FROM old GROUP BY log, hour);
