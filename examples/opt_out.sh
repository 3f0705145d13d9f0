#!/usr/bin/env bash
# Records that somebody wants no more messages of one category, then shows their history.
#
#   SAYSO_URL=http://127.0.0.1:8400 SAYSO_CLIENT_ID=cl_… SAYSO_CLIENT_SECRET=sss_… examples/opt_out.sh c-1001 promotional
#
# The client needs the scope email_preferences:  sayso client create shop --scope email_preferences
set -euo pipefail
contact=${1:?the contact id} category=${2:?the category, such as promotional}
: "${SAYSO_URL:?}" "${SAYSO_CLIENT_ID:?}" "${SAYSO_CLIENT_SECRET:?}"

token=$(curl -sS --fail-with-body -u "$SAYSO_CLIENT_ID:$SAYSO_CLIENT_SECRET" -d grant_type=client_credentials \
    "$SAYSO_URL/oauth/token" | sed -n 's/.*"access_token": *"\([^"]*\)".*/\1/p')

# The key makes it safe to send this again after a lost answer. The contact id must be percent-encoded if it holds anything unusual.
curl -sS --fail-with-body --retry 5 --retry-all-errors \
    -H "Authorization: Bearer $token" -H "Content-Type: application/json" \
    -H "Idempotency-Key: ${IDEMPOTENCY_KEY:-$(cat /proc/sys/kernel/random/uuid)}" \
    -d "{\"email_pref_$category\": \"opted_out\", \"email_pref_update_source\": \"email_link\"}" \
    "$SAYSO_URL/api/v2/contacts/$contact/email_preferences"
echo
curl -sS --fail-with-body -H "Authorization: Bearer $token" "$SAYSO_URL/api/v2/contacts/$contact/history"
echo
