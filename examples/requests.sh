#!/bin/sh
# Calls every route that needs no id, with curl. Set API to the API's URL (`ops status` prints
# it; on AWS it is the output ApiUrl of the Serving stack) and KEY to an API key.
# All of it is only a try: its predictions have the source "test", so neither they nor the label that
# is sent for one of them count anywhere.
set -eu
: "${API:?set API to the base URL, without a slash at the end}"
: "${KEY:?set KEY to an API key}"
here=$(dirname "$0")

send() {
    path=$1
    body=$2
    shift 2
    curl --fail-with-body --silent --show-error "$API$path" \
        --header "x-api-key: $KEY" \
        --header "Content-Type: application/json" \
        --data "$body" "$@"
    echo
}

post() {
    path=$1
    file=$2
    shift 2
    send "$path" "@$here/$file" "$@"
}

get() {
    curl --fail-with-body --silent --show-error "$API$1" --header "x-api-key: $KEY"
    echo
}

get /health
get /model
answer=$(post "/predict?test=true" predict.json)
echo "$answer"
post "/predict?test=true" predict-batch.json
# With the contribution of each feature to the log-odds.
post "/predict?test=true&explain=true" predict.json
# Sent again with the same key and body, this request gets the same prediction_ids.
post "/predict?test=true" predict.json --header "Idempotency-Key: visit-2026-0001"
# What turned out true, for the first of these predictions.
id=$(echo "$answer" | sed 's/.*"prediction_id": *"\([^"]*\)".*/\1/')
send /labels "{\"labels\": [{\"prediction_id\": \"$id\", \"diabetes\": true}]}"
get /predictions
get /models
get /executions
get /monitoring/overview
get /monitoring/health
get /monitoring/trends
get /monitoring/incidents
get /monitoring/traffic
get /monitoring/runs
# Start a drift run over the latest predictions; the answer says where its status is.
post /monitoring/runs run.json
# The OpenAPI document needs no key.
curl --fail-with-body --silent --show-error "$API/openapi.json"
echo
