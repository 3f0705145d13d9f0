-- name: put_letter
-- Puts a letter where the worker finds it, unless one that must be sent only once was put before.
INSERT INTO letter (shard, id, sub, kind, made_at, planned_at, due_at, once, sealed)
VALUES ($1, $2, $3, $4, $5, $6, $6, $7, $8) ON CONFLICT DO NOTHING RETURNING id;

-- name: key_of_subject
-- The wrapped data key of one subject.
SELECT wrapped FROM subject_key WHERE shard = $1 AND pseudonym = $2;

-- name: due_letters
-- Where letters are due, oldest first; only looks, the claim decides.
-- every shard: the oldest letter of anybody goes first.
SELECT shard, id FROM letter WHERE state = 'waiting' AND due_at <= $1 ORDER BY due_at LIMIT $2;

-- name: claim_letter
-- Claims one letter by compare-and-set: it still waits and nobody else's lease runs.
UPDATE letter AS l SET lease = $3, due_at = $4::bigint + $5
WHERE l.shard = $1 AND l.id = $2 AND l.state = 'waiting' AND l.due_at <= $4
RETURNING l.id, l.sub, l.kind, l.made_at, l.attempts, l.lease, l.sealed,
    (SELECT k.wrapped FROM subject_key AS k WHERE k.shard = l.shard AND k.pseudonym = l.sub) AS wrapped;

-- name: end_letter
-- Ends a letter that is ours: sent, dropped (what it was about is destroyed), or parked (kept, to be looked at).
UPDATE letter SET state = $4, cause = $5, ended_at = $6, lease = NULL, sealed = CASE WHEN $4 = 'parked' THEN sealed ELSE '' END
WHERE shard = $1 AND id = $2 AND lease = $3;

-- name: postpone_letter
-- Puts a letter of ours back after a failed attempt.
UPDATE letter SET lease = NULL, attempts = attempts + 1, due_at = $4, cause = $5 WHERE shard = $1 AND id = $2 AND lease = $3;

-- name: letter_backlog
-- How letters stand: waiting, failing, parked, since when the oldest waits, and why one of them does.
-- every shard: a count for operators.
SELECT count(*) FILTER (WHERE state = 'waiting') AS waiting,
    count(*) FILTER (WHERE state = 'waiting' AND attempts > 0) AS failing,
    count(*) FILTER (WHERE state = 'parked') AS parked,
    min(planned_at) FILTER (WHERE state = 'waiting' AND planned_at <= $1) AS oldest,
    max(cause) FILTER (WHERE cause IS NOT NULL) AS cause
FROM letter WHERE state IN ('waiting', 'parked');

-- name: letter_cursor
-- How far confirming has read the log.
SELECT log, seq FROM letter_cursor;

-- name: lock_letter_cursor
-- The same, for the one that moves it.
SELECT log, seq FROM letter_cursor FOR UPDATE;

-- name: move_letter_cursor
-- Moves on in the log, together with the letters that were put for what was read.
UPDATE letter_cursor SET log = $1, seq = $2;

-- name: newest_confirmation
-- A subject's newest confirmation, locked so that it is not sent while more is put into it.
SELECT id, planned_at, state, lease, attempts, sealed FROM letter
WHERE shard = $1 AND sub = $2 AND kind = 'confirmation' ORDER BY planned_at DESC LIMIT 1 FOR UPDATE;

-- name: confirmations_since
-- How many confirmations a subject got, or will get, since a time.
SELECT count(*) FROM letter WHERE shard = $1 AND sub = $2 AND kind = 'confirmation' AND planned_at > $3;

-- name: rewrite_letter
-- Puts more into a letter that was not tried yet.
UPDATE letter SET sealed = $3 WHERE shard = $1 AND id = $2;

-- name: own_words
-- What was said in people's own voice and applied, in a run of places in the log: hardly anything of an import has to be opened.
-- One look-up an entry (LATERAL with LIMIT): joined freely, a planner without statistics reads whole tables.
SELECT l.seq, e.id, e.sub, e.act, e.leaf, d.sealed, k.wrapped, s.kind
FROM log_entry l
JOIN LATERAL (
    SELECT * FROM entry WHERE entry.shard = l.shard AND entry.id = l.entry
    AND entry.kind IN ('choice', 'pause') AND entry.effect = 'applied' AND entry.src = ANY ($4::text[]) LIMIT 1
) AS e ON true
LEFT JOIN LATERAL (SELECT sealed FROM detail WHERE detail.shard = l.shard AND detail.entry = l.entry LIMIT 1) AS d ON true
LEFT JOIN LATERAL (SELECT wrapped FROM subject_key WHERE subject_key.shard = l.shard AND subject_key.pseudonym = e.sub LIMIT 1) AS k ON true
LEFT JOIN LATERAL (SELECT kind FROM subject WHERE subject.shard = l.shard AND subject.pseudonym = e.sub LIMIT 1) AS s ON true
WHERE l.log = $1 AND l.seq >= $2 AND l.seq < $3
ORDER BY l.seq;

-- name: make_limit
-- Makes the row of a limit, to be locked.
INSERT INTO letter_limit (shard, name, times, forget_at) VALUES ($1, $2, '{}', $3) ON CONFLICT DO NOTHING;

-- name: lock_limit
-- When letters were asked for under one name.
SELECT times FROM letter_limit WHERE shard = $1 AND name = $2 FOR UPDATE;

-- name: use_limit
-- Notes one more.
UPDATE letter_limit SET times = $3, forget_at = $4 WHERE shard = $1 AND name = $2;

-- name: put_pending
-- Keeps a sign-up that waits for the click in its mail.
INSERT INTO pending (shard, id, sub, contact, scopes, asked_at, expires_at, sealed) VALUES ($1, $2, $3, $4, $5, $6, $7, $8);

-- name: pending_by_id
-- One sign-up, with the key that opens what is kept with it.
SELECT p.*, (SELECT k.wrapped FROM subject_key AS k WHERE k.shard = p.shard AND k.pseudonym = p.sub) AS wrapped
FROM pending AS p WHERE p.shard = $1 AND p.id = $2;

-- name: open_pending_of
-- The sign-ups of addresses that wait for their click.
-- every shard: joined with the places that are asked for, each of which names its shard
SELECT p.*, NULL::bytea AS wrapped
FROM unnest($1::smallint[], $2::bytea[]) AS asked (shard, sub)
JOIN pending AS p ON p.shard = asked.shard AND p.sub = asked.sub
WHERE p.confirmed_at IS NULL AND p.expires_at > $3;

-- name: open_pending_for
-- The sign-ups for contacts that wait for the click of one of their addresses, which may lie in any shard.
-- every shard: a contact's addresses lie in any shard
SELECT p.*, NULL::bytea AS wrapped FROM pending AS p WHERE p.contact = ANY ($1::bytea[]) AND p.confirmed_at IS NULL AND p.expires_at > $2;

-- name: confirm_pending
-- Notes the click; the first one counts, and what was kept for it is destroyed: it is in the entry now.
UPDATE pending SET confirmed_at = $3, sealed = '' WHERE shard = $1 AND id = $2 AND confirmed_at IS NULL;

-- name: forget_letters
-- Removes letters that ended before a time; those that must be sent only once are remembered.
-- every shard: tidying looks at everybody.
DELETE FROM letter WHERE state IN ('sent', 'dropped') AND ended_at < $1 AND once IS NULL;

-- name: forget_limits
-- Removes limits that say nothing any more.
-- every shard: tidying looks at everybody.
DELETE FROM letter_limit WHERE forget_at < $1;

-- name: forget_pending
-- Removes sign-ups that ended before a time.
-- every shard: tidying looks at everybody.
DELETE FROM pending WHERE expires_at < $1;
