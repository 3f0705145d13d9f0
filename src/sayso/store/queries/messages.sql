-- name: keep_sent
-- Keeps what was sent; a message that was told before (same person, same message id) stays as it was told first.
INSERT INTO sent (shard, sub, id, at, noted_at, channel, category, brand, campaign, message, sealed, verdict, violation)
SELECT s.shard, s.sub, s.id, s.at, $13, s.channel, s.category, s.brand, s.campaign, s.message, s.sealed, s.verdict, s.violation
FROM unnest($1::smallint[], $2::bytea[], $3::uuid[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::bytea[], $9::bytea[],
            $10::bytea[], $11::uuid[], $12::text[])
    AS s(shard, sub, id, at, channel, category, brand, campaign, message, sealed, verdict, violation)
ORDER BY s.shard, s.sub, s.message
ON CONFLICT (shard, sub, message) WHERE message IS NOT NULL DO NOTHING
RETURNING id;

-- name: sent_before
-- Messages that were told before, by person and message id.
SELECT s.id, s.sub, s.at, s.channel, s.category, s.brand, s.message, s.sealed, s.verdict, s.violation
FROM unnest($1::smallint[], $2::bytea[], $3::bytea[]) AS n(shard, sub, message)
JOIN sent s ON s.shard = n.shard AND s.sub = n.sub AND s.message = n.message;

-- name: sent_to
-- Messages to these people, newest first: of each person so many behind the edge, all or those of one campaign or message.
SELECT e.id, e.sub, e.at, e.channel, e.category, e.brand, e.message, e.sealed, e.verdict, e.violation
FROM unnest($1::smallint[], $2::bytea[]) AS n(shard, sub)
CROSS JOIN LATERAL (
    SELECT s.* FROM sent s
    WHERE s.shard = n.shard AND s.sub = n.sub AND ($3::uuid IS NULL OR s.id < $3)
      AND ($4::bytea IS NULL OR s.message = $4) AND ($5::bytea IS NULL OR s.campaign = $5)
    ORDER BY s.id DESC LIMIT $6
) AS e
ORDER BY e.id DESC LIMIT $6;

-- name: violations_of
-- How many messages went to these people without permission, by code.
SELECT s.violation, count(*) AS count
FROM unnest($1::smallint[], $2::bytea[]) AS n(shard, sub)
JOIN sent s ON s.shard = n.shard AND s.sub = n.sub
WHERE s.violation IS NOT NULL AND s.at >= $3
GROUP BY s.violation;

-- name: violations
-- How many messages were sent without permission since a moment, by code.
-- every shard: a number over everybody, read from the index of violations alone
SELECT violation, count(*) AS count FROM sent WHERE violation IS NOT NULL AND at >= $1 GROUP BY violation;

-- name: verdicts_by_id
-- Verdicts that were given before, with whom they were about; their ids tell shard and day.
SELECT v.id, v.sub, v.body
FROM unnest($1::smallint[], $2::date[], $3::uuid[]) AS n(shard, day, id)
JOIN verdict v ON v.shard = n.shard AND v.day = n.day AND v.id = n.id;

-- name: nearest_verdicts
-- The newest verdict of each search: about one of its people, for its channel, category and brand, between two ids made of times.
-- A search has a row for each of its people and days.
SELECT DISTINCT ON (n.search) n.search, e.id, e.sub, e.body
FROM unnest($1::integer[], $2::smallint[], $3::bytea[], $4::date[], $5::uuid[], $6::uuid[], $7::text[], $8::text[], $9::text[])
    AS n(search, shard, sub, day, first, last, channel, category, brand)
CROSS JOIN LATERAL (
    SELECT v.id, v.sub, v.body FROM verdict v
    WHERE v.shard = n.shard AND v.day = n.day AND v.id BETWEEN n.first AND n.last AND v.sub = n.sub
      AND convert_from(v.body, 'UTF8')::jsonb #>> '{7,0}' = n.channel
      AND convert_from(v.body, 'UTF8')::jsonb #>> '{7,1}' = n.category
      AND convert_from(v.body, 'UTF8')::jsonb #>> '{7,2}' IN ('', n.brand)
    ORDER BY v.id DESC LIMIT 1
) AS e
ORDER BY n.search, e.id DESC;

-- name: first_words
-- When the first entry about each of these people was made.
SELECT e.sub, e.at FROM unnest($1::smallint[], $2::bytea[]) AS n(shard, sub)
JOIN entry e ON e.shard = n.shard AND e.sub = n.sub AND e.ver = 1;

-- name: keep_mail_keys
-- Keeps the keys of mailto opt-outs, each once.
INSERT INTO mail_key (shard, id, contact, address, brand, channel, category)
SELECT * FROM unnest($1::smallint[], $2::bytea[], $3::bytea[], $4::bytea[], $5::text[], $6::text[], $7::text[])
ON CONFLICT (shard, id) DO NOTHING;

-- name: mail_key
-- Whom and what the key of a mailto opt-out stands for.
SELECT contact, address, brand, channel, category FROM mail_key WHERE shard = $1 AND id = $2;
