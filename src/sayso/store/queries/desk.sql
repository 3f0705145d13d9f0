-- name: add_client
-- Keeps a new client; its secret is stored as a hash.
INSERT INTO client (id, name, secret_hash, scopes, relay_only, created_at) VALUES ($1, $2, $3, $4, $5, $6);

-- name: client
-- The client of an id, revoked or not.
SELECT id, name, scopes, relay_only, created_at, revoked_at FROM client WHERE id = $1;

-- name: client_secret
-- The hash of a client's secret, unless it was revoked.
SELECT secret_hash FROM client WHERE id = $1 AND revoked_at IS NULL;

-- name: clients
-- Clients in order of their ids.
SELECT id, name, scopes, relay_only, created_at, revoked_at FROM client WHERE id > $1 ORDER BY id LIMIT $2;

-- name: revoke_client
-- Ends a client; its tokens end with it because reading one looks at its client.
UPDATE client SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL RETURNING id;

-- name: keep_token
-- Keeps a new token's hash and clears away tokens of this client that ended more than a day ago.
WITH ended AS (DELETE FROM token WHERE client = $2 AND expires_at < $5)
INSERT INTO token (hash, client, scopes, expires_at) VALUES ($1, $2, $3, $4);

-- name: grant
-- What a token stands for now.
SELECT t.client, t.scopes, c.relay_only, t.expires_at FROM token t JOIN client c ON c.id = t.client
WHERE t.hash = $1 AND t.expires_at > $2 AND t.revoked_at IS NULL AND c.revoked_at IS NULL;

-- name: revoke_token
-- Ends a token of one client.
UPDATE token SET revoked_at = $3 WHERE hash = $1 AND client = $2 AND revoked_at IS NULL;

-- name: names_of_actors
-- The names of clients and connections.
SELECT id, name FROM client WHERE id = ANY($1::text[])
UNION ALL SELECT id::text, name FROM connection WHERE id::text = ANY($1::text[]);

-- name: newest_catalogue
-- The catalogue in force.
SELECT version, body FROM catalogue ORDER BY version DESC LIMIT 1;

-- name: keep_catalogue
-- Keeps a new version of the catalogue; the key refuses a version that is taken.
INSERT INTO catalogue (version, body, at) VALUES ($1, $2, $3);

-- name: campaign
-- The campaign of an id.
SELECT id, transactional, category, reason, at FROM campaign WHERE id = $1;

-- name: keep_campaign
-- Keeps a campaign in place of an earlier one of its id.
INSERT INTO campaign (id, transactional, category, reason, at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (id) DO UPDATE SET transactional = excluded.transactional, category = excluded.category, reason = excluded.reason, at = excluded.at;
