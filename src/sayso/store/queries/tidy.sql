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
