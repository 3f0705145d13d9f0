-- name: rows_for_checks
-- The rows that a batch of checks names, in the order of the ids given, with the database's clock; absent rows come as nulls.
-- The first byte of an id is its shard. In hex with commas between: an array costs the driver several looks at each of its elements.
SELECT k.ord, s.kind, s.pseudonym, s.version, s.state, (extract(epoch FROM statement_timestamp()) * 1000000)::bigint AS now
FROM unnest(string_to_array($1::text, ',')) WITH ORDINALITY AS k(id, ord)
LEFT JOIN subject s ON s.shard = get_byte(decode(k.id, 'hex'), 0) AND s.id = decode(k.id, 'hex');

-- name: keep_verdicts
-- Keeps the verdicts of one batch and its hash, which a ledger entry seals later. The last byte of an id is its shard.
-- Columns come as text: codes and JSON without line breaks, a line for each verdict; the others with commas between, "" for nobody.
WITH batch AS (
    INSERT INTO verdict_batch (id, at, count, hash) VALUES ($6, $7, $8, $9)
)
INSERT INTO verdict (shard, day, id, sub, allowed, codes, body)
SELECT get_byte(uuid_send(v.id), 15), $10::date, v.id, decode(v.sub, 'hex'), v.allowed, coalesce(string_to_array(v.codes, ','), '{}'), convert_to(v.body, 'UTF8')
FROM unnest(string_to_array($1, ',')::uuid[], string_to_array($2, ',', ''), string_to_array($3, ',')::boolean[],
            string_to_array($4, E'\n'), string_to_array($5, E'\n')) AS v(id, sub, allowed, codes, body);

-- name: verdict_by_id
-- One verdict that was given before; its id tells shard and day.
SELECT body FROM verdict WHERE shard = $1 AND day = $2 AND id = $3;

-- name: asked_lately
-- Whether a batch of checks was logged within the last second; those that are sealed already are too old to matter.
SELECT EXISTS (
    SELECT 1 FROM verdict_batch WHERE sealed_by IS NULL AND at > (extract(epoch FROM statement_timestamp()) * 1000000)::bigint - 1000000
);

-- name: unsealed_batches
-- Verdict batches that no ledger entry seals yet, oldest first.
SELECT id, count, hash FROM verdict_batch WHERE sealed_by IS NULL ORDER BY at LIMIT $1;

-- name: seal_batches
-- Marks batches as sealed by a ledger entry.
UPDATE verdict_batch SET sealed_by = $2 WHERE id = ANY($1::uuid[]) AND sealed_by IS NULL;
