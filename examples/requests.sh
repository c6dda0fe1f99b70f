#!/bin/sh
# Each route that needs no id of something, with curl. Set API to the ApiUrl output of the serving stack
# (`python -m ops status` prints it) and KEY to an API key of it.
set -eu
: "${API:?set API to the base URL, without a slash at its end}"
: "${KEY:?set KEY to an API key}"
here=$(dirname "$0")

post() {
    path=$1
    body=$2
    shift 2
    curl --fail-with-body --silent --show-error "$API$path" \
        --header "x-api-key: $KEY" \
        --header "Content-Type: application/json" \
        --data "@$here/$body" "$@"
    echo
}

get() {
    curl --fail-with-body --silent --show-error "$API$1" --header "x-api-key: $KEY"
    echo
}

get /health
get /model
post /predict predict.json
post /predict predict-batch.json
# With what each feature contributed to the log-odds.
post "/predict?explain=true" predict.json
# Sent again with the same key and body, it is answered with the same prediction_ids.
post /predict predict.json --header "Idempotency-Key: visit-2026-0001"
post /labels labels.json
get /predictions
get /models
get /monitoring/overview
get /monitoring/traffic
get /monitoring/runs
# A drift run over the latest predictions, answered by where its outcome will be.
post /monitoring/runs run.json
# The description of all this needs no key.
curl --fail-with-body --silent --show-error "$API/openapi.json"
echo
